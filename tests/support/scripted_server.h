/* clang-format off: it fills the table up */
/*
 * A server that does, connection by connection, exactly what its script says: for everything that a
 * real server cannot be made to do. TCP or TLS, on 127.0.0.1 and a port of its own, a thread a
 * connection.
 *
 *   head
 *   send "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
 *   reset
 *   ---
 *   head; send "HTTP/1.1 204 No Content\r\n\r\n"; again
 *
 * A step stands on a line of its own or before a ';'. "---" ends the script of one connection; the
 * last script serves all further ones. A text stands in quotes, with \r \n \t \0 \" \\ and \xHH.
 *
 *   tls FOLDER        handshake with FOLDER/cert.pem and key.pem; where it fails the connection ends
 *   h2 FOLDER         the same, and HTTP/2 is agreed on
 *   streams N         the beginning of an HTTP/2 connection and its frames, until N requests came; once
 *   first             waits until the client has said something, and leaves it unread
 *   head              reads one request head
 *   body N            reads N bytes
 *   chunks            reads a chunked body to its end
 *   payload           reads the body that the last head announces, by its length or in chunks
 *   sip N             reads N bytes, 4 KiB each 200 us
 *   wait              for scripted_server_go, once each
 *   send "TEXT"
 *   repeat N "TEXT"   sends it N times
 *   trickle MS "TEXT" sends a byte each MS
 *   flood "TEXT"      sends it as long as it is taken
 *   sleep MS
 *   shut              says that nothing more comes, and goes on
 *   hang              reads on and says nothing, until the client goes
 *   deaf              does not even read, until the client goes
 *   reset             ends with RST; without it the connection is closed at the end of its script
 *   again             starts over with the first step
 */
/* clang-format on */
#ifndef NP_TESTS_SCRIPTED_SERVER_H
#define NP_TESTS_SCRIPTED_SERVER_H

#include <stddef.h>
#include <stdint.h>

struct scripted_server;

/* NULL: `why` (of why_size bytes) says what is wrong with the script or the machine. */
struct scripted_server *scripted_server_start(const char *script, char *why, size_t why_size);
void scripted_server_stop(struct scripted_server *server); /* ends every connection */
void scripted_server_wait(struct scripted_server *server); /* until all clients have gone */
uint16_t scripted_server_port(const struct scripted_server *server);
unsigned scripted_server_connections(struct scripted_server *server); /* accepted so far */
unsigned scripted_server_heads(struct scripted_server *server); /* request heads read so far */
void scripted_server_go(
    struct scripted_server *server); /* lets one `wait` of any connection pass */
/* Everything that came on all connections, up to 1 MiB, in the order it was read, with a NUL behind
 * it; *length may be NULL. Free it. */
char *scripted_server_heard(struct scripted_server *server, size_t *length);

#endif
