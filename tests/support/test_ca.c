#include "test_ca.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { A_DAY_S = 24 * 60 * 60, LAST_DAY = 30 };

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    const bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/* issuer NULL: signs itself. Good until `last_day` days from now. */
static X509 *make_certificate(EVP_PKEY *key, const char *name, X509 *issuer, long serial,
                              long last_day)
{
    X509 *certificate = X509_new();
    if (!certificate)
        return NULL;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -30L * A_DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), last_day * A_DAY_S);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
    return certificate;
}

static bool write_certificate(const char *folder, const char *file, X509 *certificate)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *out = fopen(path, "w");
    const bool good = out && PEM_write_X509(out, certificate) == 1;
    return (!out || fclose(out) == 0) && good;
}

static bool write_key(const char *folder, const char *file, EVP_PKEY *key)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *out = fopen(path, "w");
    const bool good = out && PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;
    return (!out || fclose(out) == 0) && good;
}

bool test_ca_make(const char *folder, const char *names)
{
    return test_ca_make_until(folder, names, LAST_DAY);
}

bool test_ca_make_until(const char *folder, const char *names, long last_day)
{
    char ca_name[64]; /* another authority has another name */
    (void)snprintf(ca_name, sizeof ca_name, "netphase test CA %.40s",
                   strrchr(folder, '/') ? strrchr(folder, '/') + 1 : folder);
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key ? make_certificate(ca_key, ca_name, NULL, 1, LAST_DAY) : NULL;
    X509 *server =
        ca && key ? make_certificate(key, "netphase test server", ca, 2, last_day) : NULL;
    const bool made =
        server && add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE") &&
        add_extension(ca, ca, NID_subject_key_identifier, "hash") &&
        X509_sign(ca, ca_key, EVP_sha256()) > 0 &&
        add_extension(server, ca, NID_subject_alt_name, names) &&
        X509_sign(server, ca_key, EVP_sha256()) > 0 && write_certificate(folder, "ca.pem", ca) &&
        write_certificate(folder, "cert.pem", server) && write_key(folder, "key.pem", key);
    X509_free(server);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return made;
}
