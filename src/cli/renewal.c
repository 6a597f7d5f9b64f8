#include "cli/renewal.h"

#include "base/log.h"
#include "core/registry.h"
#include "core/supervisor.h"

#include <string.h>

/* FNV-1a, as guests make labels of names. */
static uint64_t label_of(const char *name)
{
    uint64_t label = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++) {
        label = (label ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    }
    return label;
}

/* A cast by nobody: guests' own always have a sender. */
static bool tell(struct process *process)
{
    struct message *message = message_create(0, label_of("code-change"), NULL, 0);
    if (message == NULL) {
        return false;
    }
    if (process_push(process, &message->entry) != PUSH_ACCEPTED) {
        message_destroy(message);
        return false;
    }
    return true;
}

void renewal_begin(struct node *node, const struct manifest_component *component)
{
    struct registry_key key = {.namespace = component->namespace.value,
                               .name = component->name,
                               .name_bytes = strlen(component->name)};
    struct pid pid = registry_whereis(node_registry(node), &key);
    struct process *process = pid_is_none(pid) ? NULL : node_find(node, pid);
    if (process == NULL) {
        return;
    }
    if (component->code_change.value == MANIFEST_SIGNAL) {
        supervisor_renew_child(process, RENEWAL_AT_ITS_END);
        if (tell(process)) {
            log_printf(LOG_INFO, "service '%s' was told of its new code", component->name);
            process_release(process);
            return;
        }
        log_printf(LOG_WARN, "service '%s' has no room for being told of its new code",
                   component->name);
    }
    log_printf(LOG_INFO, "service '%s' is started anew with its new code", component->name);
    supervisor_renew_child(process, RENEWAL_NOW);
    process_release(process);
}
