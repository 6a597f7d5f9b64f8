#include "cli/allowance.h"

#include "cli/outbound.h"
#include "guest/dynamic.h"

static bool have_preopens(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->component_count; i++) {
        if (manifest->components[i].preopen_count > 0) {
            return true;
        }
    }
    return false;
}

static bool have_folders(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->serve_count; i++) {
        if (manifest->serves[i].content.folder_count > 0) {
            return true;
        }
    }
    return false;
}

/* Each template's code that stays loaded, in every worker's engine, and what compiles it. Of what processes keep beyond that
 * the node's own reserve has to do. */
static uint64_t lent_descriptors(const struct manifest *manifest, uint64_t workers)
{
    enum { COMPILER = 8 };
    uint64_t count = 0;
    for (size_t i = 0; i < manifest->component_count; i++) {
        count += manifest->components[i].lends.value ? DYNAMIC_LOADED_MAX * workers : 0;
    }
    return count > 0 ? count + (uint64_t)COMPILER * DYNAMIC_COMPILERS : 0;
}

/* Less what else needs some: the node itself and its admin socket, each worker's listeners and refusals, and guests
 * that open files. Each connection may be sent one. */
struct descriptor_plan allowance_descriptors(const struct manifest *manifest,
                                             const struct pool *pool)
{
    enum { NODE = 64, ADMIN = 64, REFUSALS_MIN = 4, REFUSALS_MAX = 256, CONNECTIONS_MIN = 16 };
    uint64_t descriptors = pool_limits(pool)->descriptors;
    uint64_t workers = pool_workers(pool);
    uint64_t refusals = descriptors / 16 / workers;
    refusals = refusals < REFUSALS_MIN   ? REFUSALS_MIN
               : refusals > REFUSALS_MAX ? REFUSALS_MAX
                                         : refusals;
    uint64_t taken = NODE + ADMIN + workers * (refusals + manifest->serve_count) +
                     (have_preopens(manifest) ? descriptors / 4 : 0);
    taken += lent_descriptors(manifest, workers);
    /* A connection each, as many that are kept at most, and each worker's own. */
    uint64_t fetches = manifest->node.max_fetches.value;
    uint64_t fetches_most = descriptors / 8 > 0 ? descriptors / 8 : 1;
    fetches = fetches < fetches_most ? fetches : fetches_most;
    taken += outbound_is_granted(manifest) ? fetches : 0;
    uint64_t most = descriptors > taken + CONNECTIONS_MIN ? descriptors - taken : CONNECTIONS_MIN;
    most = have_folders(manifest) ? most / 2 : most;
    return (struct descriptor_plan){.connections = most > UINT32_MAX ? UINT32_MAX : (uint32_t)most,
                                    .fetches = (uint32_t)fetches,
                                    .refusals = (uint32_t)refusals};
}

void allowance_settle(struct manifest *manifest, const struct pool *pool)
{
    enum { BUFFERED_MB_MIN = 16, BUFFERED_SHARE = 4 };
    struct manifest_node *node = &manifest->node;
    if (node->max_connections.value == 0) {
        node->max_connections = (struct manifest_number){
            allowance_descriptors(manifest, pool).connections, MANIFEST_MACHINE};
    }
    if (node->max_buffered_mb.value == 0) {
        uint64_t mb = (pool_limits(pool)->memory_bytes >> 20) / BUFFERED_SHARE;
        node->max_buffered_mb =
            (struct manifest_number){mb < BUFFERED_MB_MIN ? BUFFERED_MB_MIN : mb, MANIFEST_MACHINE};
    }
}
