#include "cli/grants.h"

#include "guest/network.h"

#include <stdlib.h>

struct engine_preopen *grant_fill(const struct manifest_component *from, struct grant *ret)
{
    const struct manifest_limits *limits = &from->limits;
    struct engine_preopen *preopens = calloc(from->preopen_count + 1, sizeof *preopens);
    if (preopens == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < from->preopen_count; i++) {
        preopens[i] = (struct engine_preopen){.host_path = from->preopens[i].host_path,
                                              .guest_path = from->preopens[i].guest_path,
                                              .read_only = from->preopens[i].read_only};
    }
    *ret = (struct grant){
        .name = from->capability.value,
        .memory_max_bytes = limits->max_memory_mb.value << 20,
        .cpu_max_ns = limits->max_cpu_ms.value * 1000000,
        .mailbox = {.messages = (uint32_t)limits->mailbox_messages.value,
                    .bytes = limits->mailbox_bytes.value,
                    .policy = (enum mailbox_policy)limits->mailbox_policy.value},
        .log_lines_per_s = (uint32_t)limits->log_lines_per_second.value,
        .quotas = {.ties_max = (uint32_t)limits->max_ties.value,
                   .timers_max = (uint32_t)limits->max_timers.value,
                   .registered_max = {[REGISTRY_NAME] = (uint32_t)limits->max_names.value,
                                      [REGISTRY_TAG] = (uint32_t)limits->max_tags.value,
                                      [REGISTRY_GROUP] = (uint32_t)limits->max_groups.value}},
        .children_max = (uint32_t)limits->max_children.value,
        .streams_max = (uint32_t)limits->max_streams.value,
        .stream_buffer_bytes = limits->stream_buffer_bytes.value,
        .fetches_max = (uint32_t)limits->max_fetches.value,
        .fetch_connect_ns = limits->fetch_connect_ms.value * 1000000,
        .fetch_idle_ns = limits->fetch_idle_ms.value * 1000000,
        .fetch_whole_ns = limits->fetch_deadline_ms.value * 1000000,
        .message_bytes_max = limits->max_message_bytes.value,
        .namespace = from->namespace.value,
        .allow_spawn = from->allow_spawn.names,
        .allow_namespaces = from->allow_namespaces.names,
        .allow_process_control = from->allow_process_control.value,
        .accept_links = from->accept_links.value,
        .stdio = from->allow_stdio.value,
        .environment = from->environment,
        .preopens = preopens,
        .preopen_count = from->preopen_count,
    };
    struct err err = {0};
    ret->network = network_policy_create(from->allow_network.names, &err);
    if (ret->network == NULL) {
        free(TAKE(preopens)); /* out of memory: the manifest has checked the rest */
    }
    return preopens;
}
