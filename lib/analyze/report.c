#include <netphase/report.h>
