/* A request and a report with round figures, for the tests of what the programs draw. */
#ifndef SAMPLE_REQUEST_H
#define SAMPLE_REQUEST_H

#include <netphase/report.h>

/* A request through a proxy chosen by a PAC script: every phase, spans three levels deep; static
 * data. */
const np_request_detail *sample_request(void);
/* The same connection used again: only queue, send, wait and receive. */
const np_request_detail *sample_reused(void);
/* A request that failed while it connected. */
const np_request_detail *sample_failed(void);
/* Two groups: new connections and reused ones. */
const np_report *sample_report(void);

#endif
