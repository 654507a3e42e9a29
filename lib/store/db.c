#include <netphase/store.h>
