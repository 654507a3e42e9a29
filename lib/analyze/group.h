/*
 * Which group a request belongs to: columns of a batch to small numbers, one number a group. Floor
 * 3; one thread at a time.
 *
 * Groups are by value, not by id: the same text may stand twice in a trace. Each id is looked up
 * once.
 */
#ifndef NP_ANALYZE_GROUP_H
#define NP_ANALYZE_GROUP_H

#include "columns.h"
#include "id_map.h"

#include <sqlite3.h>

#define NP_GROUP_COLUMNS_MAX 8
#define NP_GROUPS_MAX        4000000u /* a report of more is refused: each has figures */

typedef struct np_grouping np_grouping;

/* `by` as in np_report_options. NP_E_ARGUMENT with the nearest right word for an unknown column. */
np_status np_grouping_create(sqlite3 *db, const char *by, np_grouping **out, np_error *err);
void np_grouping_free(np_grouping *grouping);

uint64_t np_grouping_needs(const np_grouping *grouping); /* bit a chunk column */
size_t np_grouping_columns(const np_grouping *grouping); /* 0: one group */
const char *np_grouping_name(const np_grouping *grouping, size_t column);

/* group[i] for rows[i], 0 … np_grouping_count - 1. */
np_status np_grouping_assign(np_grouping *grouping, const np_columns *columns, const uint16_t *rows,
                             uint32_t count, uint32_t *group, np_error *err);
uint32_t np_grouping_count(const np_grouping *grouping);

/* The value of a column in a group; NULL where it is NULL. Lives as long as the grouping. */
const char *np_grouping_value(const np_grouping *grouping, uint32_t group, size_t column);

#endif
