/*
 * The lab's own certificate authority and the certificate of its origin, made anew at every start.
 *
 * P-256 keys, random serial numbers, valid from yesterday (clocks differ) for 30 days. The names
 * stand in the certificate one by one: a wildcard `*.lab` is refused by clients. Program
 * netphase-lab; any thread.
 */
#ifndef LAB_CERTIFICATE_H
#define LAB_CERTIFICATE_H

#include <netphase/status.h>
#include <openssl/x509.h>
#include <stddef.h>

/* What is wrong with the origin's certificate. */
enum certificate_fault {
    CERTIFICATE_GOOD,
    CERTIFICATE_EXPIRED,    /* ended yesterday */
    CERTIFICATE_WRONG_NAME, /* for wrong-name.lab only */
    CERTIFICATE_UNKNOWN_CA  /* signed by an authority that is in no bundle */
};

struct certificates {
    X509 *authority; /* what clients are told to trust */
    EVP_PKEY *key;   /* the origin's */
    X509 *origin;
};

/*
 * Makes both certificates.
 *
 * names  names[count], lower case, at least one; the first is also the subject
 * out    [out] owned: certificates_free
 * returns NP_E_IO when OpenSSL refuses
 */
np_status certificates_create(const char *const *names, size_t count, enum certificate_fault fault,
                              struct certificates *out, np_error *err);

/* Releases what `certificates` holds and leaves it empty. */
void certificates_free(struct certificates *certificates);

/* Writes a certificate as PEM to a new file, readable by the user alone. NP_E_OUTPUT when it cannot
 * be written. */
np_status certificate_save(X509 *certificate, const char *path, np_error *err);

#endif
