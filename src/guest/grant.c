#include "guest/grant.h"

#include <string.h>

const char *grant_env(const struct grant *grant, const char *name, size_t name_bytes)
{
    if (grant->environment == NULL) {
        return NULL;
    }
    for (const char *const *entry = grant->environment; *entry != NULL; entry++) {
        /* By size first: a name from a guest may hold anything, zero bytes too. */
        if (strcspn(*entry, "=") == name_bytes && memcmp(*entry, name, name_bytes) == 0 &&
            (*entry)[name_bytes] == '=') {
            return *entry + name_bytes + 1;
        }
    }
    return NULL;
}
