#include "cli/imports.h"

#include "guest/abi.h"
#include "guest/rusm.h"
#include "serve/handler.h"
#include "serve/handler_rusm.h"

#include <stdlib.h>
#include <string.h>

struct engine_import *imports_gather(size_t *ret_count)
{
    typedef const struct engine_import *table(size_t * ret_count);
    static table *const tables[] = {abi_imports, handler_imports, rusm_imports,
                                    handler_rusm_imports};
    struct engine_import *all = NULL;

    *ret_count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        size_t count = 0;
        const struct engine_import *more = tables[i](&count);
        struct engine_import *larger = realloc(all, (*ret_count + count) * sizeof *all);
        if (larger == NULL) {
            free(all);
            return NULL;
        }
        all = larger;
        memcpy(all + *ret_count, more, count * sizeof *more);
        *ret_count += count;
    }
    return all;
}
