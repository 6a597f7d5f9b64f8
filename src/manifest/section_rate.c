/* Of [[serve]]: what each client's address may take. */
#include "manifest/section.h"

enum { RATE_MAX = 1000000 };

#define RATE(key_, member_, zero_)                                                                 \
    {                                                                                              \
        .key = (key_), .kind = FIELD_NUMBER, .offset = offsetof(struct manifest_rate, member_),    \
        .max = RATE_MAX, .zero = (zero_)                                                           \
    }

const struct field RATE_FIELDS[RATE_FIELD_COUNT] = {
    RATE("max-connections-per-address", max_connections, "off"),
    RATE("connections-per-second", connections_per_second, "off"),
    RATE("requests-per-second", requests_per_second, "off"),
    RATE("requests-burst", requests_burst, "as many as a second gives"),
};
