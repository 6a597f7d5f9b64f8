/* What a guest was refused, for the log: with the line of the manifest that would allow it, or why none would. */
#include "guest/guest.h"

#include "base/log.h"
#include "base/number.h"
#include "core/node.h"
#include "guest/component_internal.h"
#include "guest/guest_internal.h"

#include <stdio.h>

enum { SECOND_NS = 1000000000 };

/* As in guest.c. */
static struct log_field pid_field(const struct guest *guest)
{
    static _Thread_local char digits[20];
    size_t size = number_format(guest->process.pid.raw, digits);
    return LOG_FIELD_TEXT("pid", digits, size);
}

/* Whether it is time for another note. */
static bool denial_allowed(struct guest *guest)
{
    uint64_t now_ns = node_now_ns(guest->process.node);
    if (guest->log.denied_ns != 0 && now_ns - guest->log.denied_ns < SECOND_NS) {
        return false;
    }
    guest->log.denied_ns = now_ns;
    return true;
}

void guest_log_refused(struct guest *guest, const char *what, const char *why)
{
    if (!denial_allowed(guest)) {
        return;
    }
    log_write(LOG_WARN, "denied",
              (struct log_field[]){LOG_FIELD_STRING("component", guest->component->name),
                                   pid_field(guest), LOG_FIELD_STRING("call", what),
                                   LOG_FIELD_STRING("why", why), LOG_FIELD_END});
}

void guest_log_denied(struct guest *guest, const char *what, const char *manifest_line)
{
    if (!denial_allowed(guest)) {
        return;
    }
    char allow[256];
    snprintf(allow, sizeof allow, "%s under the capability of [components.%s] (now \"%s\")",
             manifest_line, guest->component->name, guest->grant->name);
    log_write(LOG_WARN, "denied",
              (struct log_field[]){LOG_FIELD_STRING("component", guest->component->name),
                                   pid_field(guest), LOG_FIELD_STRING("call", what),
                                   LOG_FIELD_STRING("allow", allow), LOG_FIELD_END});
}

void guest_denied(void *process, const char *call, int wasi_errno)
{
    enum { WASI_BADF = 8 };
    struct guest *guest = process;
    bool has_folders = guest->grant->preopen_count > 0;
    /* In a terminal it is told as any command tells it; with folders a wrong descriptor is a mistake, not a wish. */
    if (guest->grant->inherit_stdio || (has_folders && wasi_errno == WASI_BADF)) {
        return;
    }
    guest_log_denied(guest, call,
                     has_folders
                         ? "preopen = [{ path = \"FOLDER\", guest = \"/FOLDER\", mode = \"rw\" }]"
                         : "preopen = [{ path = \"FOLDER\", guest = \"/FOLDER\", mode = \"ro\" }]");
}
