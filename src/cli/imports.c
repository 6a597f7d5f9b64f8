#include "cli/imports.h"

#include "guest/abi.h"
#include "serve/handler.h"

#include <stdlib.h>
#include <string.h>

struct engine_import *imports_gather(size_t *ret_count)
{
    size_t common_count = 0, http_count = 0;
    const struct engine_import *common = abi_imports(&common_count);
    const struct engine_import *http = handler_imports(&http_count);
    struct engine_import *all = calloc(common_count + http_count, sizeof *all);

    if (all == NULL) {
        return NULL;
    }
    memcpy(all, common, common_count * sizeof *common);
    memcpy(all + common_count, http, http_count * sizeof *http);
    *ret_count = common_count + http_count;
    return all;
}
