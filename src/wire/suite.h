/* suite.h -- what a connection over TLS was agreed to be, and what people call that: the names of
 * IANA for the suites that are spoken here. Numbers as on the wire. */
#pragma once

#include "base/str.h"

enum { TLS_VERSION_1_2 = 0x0303, TLS_VERSION_1_3 = 0x0304 };

struct tls_facts {
        uint16_t version, suite; /* 0: no TLS */
};

/* "1.3", "TLS_AES_128_GCM_SHA256"; empty where nothing is known. */
struct str tls_version_text(uint16_t version);
struct str tls_suite_text(uint16_t suite);
