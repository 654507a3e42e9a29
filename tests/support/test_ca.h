/* A certificate authority for tests: makes keys and certificates in a folder with the openssl
 * library. */
#ifndef NP_TESTS_TEST_CA_H
#define NP_TESTS_TEST_CA_H

#include <stdbool.h>

/* Writes FOLDER/ca.pem (to trust), FOLDER/cert.pem and FOLDER/key.pem (of a server). `names`:
 * "DNS:origin.test,IP:127.0.0.1". */
bool test_ca_make(const char *folder, const char *names);
/* The same with a server certificate that is good until `last_day` days from now: -1, until
 * yesterday. */
bool test_ca_make_until(const char *folder, const char *names, long last_day);

#endif
