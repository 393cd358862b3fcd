/* suite.c -- a table. */
#include "wire/suite.h"

static const struct {
        uint16_t suite;
        struct str name;
} suites[] = {
        {0x1301, S_INIT("TLS_AES_128_GCM_SHA256")},
        {0x1302, S_INIT("TLS_AES_256_GCM_SHA384")},
        {0x1303, S_INIT("TLS_CHACHA20_POLY1305_SHA256")},
        {0xc02b, S_INIT("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")},
        {0xc02c, S_INIT("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")},
        {0xc02f, S_INIT("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")},
        {0xc030, S_INIT("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")},
        {0xcca8, S_INIT("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256")},
        {0xcca9, S_INIT("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")},
};

struct str tls_version_text(uint16_t version)
{
        return version == TLS_VERSION_1_3   ? S("1.3")
               : version == TLS_VERSION_1_2 ? S("1.2")
                                            : STR_NONE;
}

struct str tls_suite_text(uint16_t suite)
{
        for (size_t i = 0; i < countof(suites); i++) {
                if (suites[i].suite == suite)
                        return suites[i].name;
        }
        return STR_NONE;
}
