#include "cli/outbound.h"

enum { HEADER_BYTES_MAX = 32768, HEADERS_MAX = 128, NS_PER_MS = 1000000 };

struct fetcher *outbound_create(const struct manifest *manifest, struct node *node, struct err *err)
{
    struct fetcher_options options = {
        .node = node,
        .fetches_max = (uint32_t)manifest->node.max_fetches.value,
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
