/* See certificate.h. */
#include "certificate.h"

#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DAY_S = 24 * 60 * 60, SERIAL_BYTES = 16 };

/* 127 random bits: two labs never make two certificates that a client could mix up. */
static int set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return 0;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    int ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return ok;
}

static int add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int ok = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

/* A certificate without signature and extensions. */
static X509 *make_certificate(EVP_PKEY *key, const char *subject, X509_NAME *issuer, long end_s)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_NAME_new();
    int ok = certificate && name &&
             X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                                        (const unsigned char *)"netphase lab", -1, -1, 0) &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject,
                                        -1, -1, 0) &&
             X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
             X509_gmtime_adj(X509_getm_notBefore(certificate), end_s > 0 ? -DAY_S : -2 * DAY_S) &&
             X509_gmtime_adj(X509_getm_notAfter(certificate), end_s) &&
             X509_set_subject_name(certificate, name) &&
             X509_set_issuer_name(certificate, issuer ? issuer : name) &&
             X509_set_pubkey(certificate, key);
    X509_NAME_free(name);
    if (!ok) {
        X509_free(certificate);
        certificate = NULL;
    }
    return certificate;
}

static X509 *make_authority(EVP_PKEY *key)
{
    X509 *authority = make_certificate(key, "netphase lab authority", NULL, 30 * DAY_S);
    if (authority &&
        add_extension(authority, authority, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(authority, authority, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(authority, authority, NID_subject_key_identifier, "hash") &&
        X509_sign(authority, key, EVP_sha256()) > 0)
        return authority;
    X509_free(authority);
    return NULL;
}

static int add_names(X509 *certificate, const char *const *names, size_t count)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    int ok = list != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        ok = name && text && ASN1_STRING_set(text, names[i], -1);
        if (ok) {
            GENERAL_NAME_set0_value(name, GEN_DNS, text);
            text = NULL;
            ok = sk_GENERAL_NAME_push(list, name) > 0;
            if (ok)
                name = NULL;
        }
        ASN1_IA5STRING_free(text);
        GENERAL_NAME_free(name);
    }
    ok =
        ok && X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) > 0;
    GENERAL_NAMES_free(list);
    return ok;
}

static X509 *make_origin(EVP_PKEY *key, X509 *authority, EVP_PKEY *authority_key,
                         const char *const *names, size_t count, bool is_expired)
{
    X509 *origin = make_certificate(key, names[0], X509_get_subject_name(authority),
                                    is_expired ? -DAY_S : 30 * DAY_S);
    if (origin && add_names(origin, names, count) &&
        add_extension(origin, authority, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(origin, authority, NID_key_usage, "critical,digitalSignature") &&
        add_extension(origin, authority, NID_ext_key_usage, "serverAuth") &&
        add_extension(origin, authority, NID_subject_key_identifier, "hash") &&
        add_extension(origin, authority, NID_authority_key_identifier, "keyid:always") &&
        X509_sign(origin, authority_key, EVP_sha256()) > 0)
        return origin;
    X509_free(origin);
    return NULL;
}

np_status certificates_create(const char *const *names, size_t count, enum certificate_fault fault,
                              struct certificates *out, np_error *err)
{
    static const char *const wrong_names[] = {"wrong-name.lab"};
    *out = (struct certificates){0};
    EVP_PKEY *authority_key = EVP_EC_gen("P-256");
    EVP_PKEY *stranger_key = fault == CERTIFICATE_UNKNOWN_CA ? EVP_EC_gen("P-256") : NULL;
    X509 *stranger = stranger_key ? make_authority(stranger_key) : NULL;
    out->key = EVP_EC_gen("P-256");
    out->authority = authority_key ? make_authority(authority_key) : NULL;
    if (fault == CERTIFICATE_WRONG_NAME) {
        names = wrong_names;
        count = 1;
    }
    if (out->key && out->authority && (stranger || fault != CERTIFICATE_UNKNOWN_CA))
        out->origin = make_origin(out->key, stranger ? stranger : out->authority,
                                  stranger ? stranger_key : authority_key, names, count,
                                  fault == CERTIFICATE_EXPIRED);
    X509_free(stranger);
    EVP_PKEY_free(stranger_key);
    EVP_PKEY_free(authority_key);
    if (out->origin)
        return NP_OK;
    certificates_free(out);
    return lab_fail_tls(err, "no certificate for %s could be made", names[0]);
}

void certificates_free(struct certificates *certificates)
{
    X509_free(certificates->origin);
    X509_free(certificates->authority);
    EVP_PKEY_free(certificates->key);
    *certificates = (struct certificates){0};
}

np_status certificate_save(X509 *certificate, const char *path, np_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        return lab_fail_os(err, NP_E_OUTPUT, code, "%s cannot be written", path);
    }
    bool is_written = PEM_write_X509(file, certificate) == 1;
    if (fclose(file) != 0 || !is_written)
        return lab_fail_os(err, NP_E_OUTPUT, errno, "%s cannot be written", path);
    return NP_OK;
}
