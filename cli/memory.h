/* Memory for programs: what cannot be had ends the program with one line (the library never does
 * this). */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include <stddef.h>

void *xcalloc(size_t count, size_t size);                /* zeroed; owned: free */
void *xrealloc(void *memory, size_t count, size_t size); /* checks the product */
char *xstrndup(const char *text, size_t length);         /* owned: free */

#endif
