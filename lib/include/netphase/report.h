/**
 * Reports: where the time went, by group and phase, with exact quantiles.
 */
#ifndef NETPHASE_REPORT_H
#define NETPHASE_REPORT_H

#include <netphase/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Figures of one phase (or of setup, total, caller_blocked) over the requests of a group in which
 * it happened.
 *
 * What did not happen is not counted, which is not 0. `gap`, `setup` and `total` count every
 * request, 0 being a value. A negative duration, which only a damaged file has, counts as 0.
 */
typedef struct np_figures {
    uint64_t count; /* 0: it never happened; then the rest is 0 */
    int64_t sum_ns; /* saturates at INT64_MAX */
    double share;   /* of the group's summed total, 0 … 1 */
    int64_t min_ns, p50_ns, p90_ns, p95_ns, p99_ns,
        max_ns;                /* exact; nearest rank (Hyndman and Fan, definition 1) */
    double mean_ns, stddev_ns; /* of the sample: divisor count - 1; 0 for one value */
    /* bins[bins of the options]: how many values lie in each of that many steps from min to max,
     * which are equally long on a logarithmic scale: step i ends before
     * max(min, 1) * (max / max(min, 1)) ^ ((i + 1) / bins), the last one with max; NULL: none were
     * asked for, or there is no value */
    const uint64_t *bins;
} np_figures;

typedef struct np_report_group {
    /* by[by_count of the report]: the values; NULL where the column is NULL. run, status: decimal;
     * reused: "true", "false"; minute: "2026-11-23T12:04:00Z" */
    const char *const *by;
    uint64_t requests, failed, reused;
    np_figures phases[NP_PHASE_COUNT]; /* failed requests count in the phases they reached */
    np_figures setup;                  /* over all requests */
    np_figures total;                  /* over all requests */
    np_figures caller_blocked;
} np_report_group;

typedef struct np_report {
    const char *file;
    uint64_t runs, requests, failed,
        dropped; /* runs: all of the trace (or run_id); under filter, since or until those with
                    requests in it. dropped: events that these runs lost */
    int64_t from_ns, to_ns; /* Unix ns of the first start and the last end in it; 0 when empty */
    const char *labels;     /* JSON object: the labels that all runs in it share */
    const char *const *by;  /* by[by_count]: the columns it is grouped by */
    size_t by_count;
    const np_report_group *groups; /* groups[group_count], in the order asked for */
    size_t group_count;
    uint64_t groups_left_out; /* by `top` */
} np_report;

typedef struct np_report_options {
    size_t size;    /* sizeof(np_report_options); set by the initialiser */
    const char *by; /* "origin,method,connection_state" when NULL; origin host url path route method
                       status label.KEY run proxy protocol reused connection_state outcome minute,
                       separated by commas; "none": one group; up to 8 columns */
    const np_filter *filter; /* borrowed for the call; NULL: none */
    int64_t since_ns;        /* Unix ns: requests that started at or after it; 0: all */
    int64_t until_ns;        /* Unix ns: requests that started before it; 0: all */
    int64_t run_id;          /* 0: every run */
    uint32_t top;            /* only the first groups in this order; 0: all */
    /* "share" when NULL: the group's summed total; count, failed, p50, p90, p95, p99, max, mean (of
     * total), setup (its p95), or name; descending, name ascending */
    const char *sort;
    bool no_chunks; /* true: step the rows only (for tests) */
    uint32_t bins;  /* of a histogram for every np_figures, 0 … 64; 0: none */
} np_report_options;
#define NP_REPORT_OPTIONS_INIT                                                                     \
    {                                                                                              \
        .size = sizeof(np_report_options)                                                          \
    }

/**
 * Makes a report.
 *
 * @param options  NULL: all defaults
 * @param out      [out] owned: free with np_report_free
 * @return NP_E_ARGUMENT for an unknown column or order (the nearest right one is in `err`) or more
 * than 4,000,000 groups, NP_E_ARGUMENT_RANGE for negative times or too many bins, NP_E_INPUT for a
 * damaged file or chunk, NP_E_CANCELED after np_store_interrupt
 *
 * One pass over the column chunks and the rows behind the last one, in one snapshot. A filter that
 * asks for what chunks do not hold (started, hop, hop_reason, error, error_layer, error_code,
 * proxy_source, process_id, number, first_byte_ns) steps all rows instead. Memory: 4 bytes a value
 * (8 above 4.29 s), some ten values a request.
 */
NP_API np_status np_report_create(np_store *store, const np_report_options *options,
                                  np_report **out, np_error *err);
/** Frees a report with all its texts; NULL is allowed. */
NP_API void np_report_free(np_report *report);

#ifdef __cplusplus
}
#endif
#endif
