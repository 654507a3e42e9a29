/* The version of SQLite in use: the one loaded, not the one compiled against. Floor 2; any thread.
 */
#include <netphase/store.h>
#include <sqlite3.h>

const char *np_sqlite_version(void)
{
    return sqlite3_libversion();
}
