/* Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/*
 * Makes many certificates quickly, for benchmarks:
 *
 *   certs DIR COUNT [ec|rsa [FROM [bundle]]]
 *
 * DIR/CA.crt, and for COUNT numbers N from FROM (0) on an end-entity
 * certificate of the CA for siteN.example in DIR/N.crt (leaf, CA) with its
 * key, PKCS#8 and mode 0600, in DIR/N.key; or all of it in DIR/N.pem with
 * "bundle". What is there already stays.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static void die(const char *what)
{
    fprintf(stderr, "certs: %s\n", what);
    exit(1);
}

static EVP_PKEY *make_key(const char *kind)
{
    EVP_PKEY *key = !strcmp(kind, "rsa") ? EVP_RSA_gen(2048)
                                         : EVP_EC_gen("P-256");

    if (!key)
        die("no key");
    return key;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!ext || !X509_add_ext(cert, ext, -1))
        die("no extension");
    X509_EXTENSION_free(ext);
}

static X509 *make_cert(const char *name, EVP_PKEY *key, X509 *issuer,
                       EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_NAME_new();
    char text[300];
    unsigned char serial[8];

    RAND_bytes(serial, sizeof(serial));
    serial[0] &= 0x7f;
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert),
                            *(uint64_t *)(void *)serial >> 1);
    X509_set_version(cert, 2);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 89 * 24 * 3600L);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_subject_name(cert, subject);
    X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer)
                                      : subject);
    X509_NAME_free(subject);
    extend(cert, issuer ? issuer : cert, NID_basic_constraints,
           issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (issuer) {
        snprintf(text, sizeof(text), "DNS:%s,DNS:www.%s", name, name);
        extend(cert, issuer, NID_subject_alt_name, text);
    }
    if (!X509_sign(cert, issuer ? issuer_key : key, EVP_sha256()))
        die("not signed");
    return cert;
}

static FILE *create(const char *dir, const char *name, const char *suffix,
                    mode_t mode)
{
    char path[1000];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s.%s", dir, name, suffix);
    umask(0777 & ~mode);
    file = fopen(path, "w");
    if (!file)
        die(path);
    return file;
}

static int is_there(const char *dir, int number, const char *suffix)
{
    char path[1000];

    snprintf(path, sizeof(path), "%s/%d.%s", dir, number, suffix);
    return access(path, R_OK) == 0;
}

/* The key comes last, in a file of its own or not. */
static void put(const char *dir, int number, X509 *cert, X509 *ca,
                EVP_PKEY *key, int is_bundle)
{
    char name[20];
    FILE *file;

    snprintf(name, sizeof(name), "%d", number);
    file = create(dir, name, is_bundle ? "pem" : "crt",
                  is_bundle ? 0600 : 0644);
    PEM_write_X509(file, cert);
    PEM_write_X509(file, ca);
    if (!is_bundle) {
        fclose(file);
        file = create(dir, name, "key", 0600);
    }
    PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 2 ? argv[1] : "";
    const char *kind = argc > 3 ? argv[3] : "ec";
    int count = argc > 2 ? atoi(argv[2]) : 0;
    int from = argc > 4 ? atoi(argv[4]) : 0;
    int is_bundle = argc > 5 && !strcmp(argv[5], "bundle");
    EVP_PKEY *ca_key;
    X509 *ca;
    FILE *file;
    int i;

    if (count < 1)
        die("usage: certs DIR COUNT [ec|rsa [FROM [bundle]]]");
    ca_key = make_key("ec");
    ca = make_cert("benchmark CA", ca_key, NULL, NULL);
    if (!is_bundle) {
        file = create(dir, "CA", "crt", 0644);
        PEM_write_X509(file, ca);
        fclose(file);
    }

    for (i = from; i < from + count; i++) {
        char name[100];
        EVP_PKEY *key;
        X509 *cert;

        if (is_there(dir, i, is_bundle ? "pem" : "crt"))
            continue;
        snprintf(name, sizeof(name), "site%d.example", i);
        key = make_key(kind);
        cert = make_cert(name, key, ca, ca_key);
        put(dir, i, cert, ca, key, is_bundle);
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    return 0;
}
