#include "cli/outbound.h"

#include "base/log.h"

enum { HEADER_BYTES_MAX = 32768, HEADERS_MAX = 128, NS_PER_MS = 1000000 };

struct fetcher *outbound_create(const struct manifest *manifest, uint32_t fetches_max,
                                struct node *node, struct err *err)
{
    uint64_t wanted = manifest->node.max_fetches.value;
    if (fetches_max < wanted && outbound_is_granted(manifest)) {
        log_printf(LOG_INFO, "max-fetches is %u here, not %llu: an eighth of the descriptors",
                   fetches_max, (unsigned long long)wanted);
    }
    struct fetcher_options options = {
        .node = node,
        .fetches_max = fetches_max,
        .keep_ns = manifest->node.fetch_keep_ms.value * NS_PER_MS,
        .header_bytes_max = HEADER_BYTES_MAX,
        .header_count_max = HEADERS_MAX,
        .ca_file = manifest->node.ca_certificates.value,
    };
    return fetcher_create(&options, err);
}

bool outbound_is_granted(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->component_count; i++) {
        if (manifest->components[i].allow_network.names[0] != NULL) {
            return true;
        }
    }
    return false;
}
