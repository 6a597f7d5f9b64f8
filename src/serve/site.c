#include "serve/site.h"

#include "serve/field.h"

#include <stdlib.h>
#include <string.h>

static bool add_line(struct site *site, const struct header *header, struct err *err)
{
    enum field_kind kind = field_kind_of(header->name);
    site->has_server = site->has_server || kind == FIELD_SERVER;
    if (!field_is_valid(header) || (kind != FIELD_PLAIN && kind != FIELD_SERVER)) {
        return err_set(err, ERR_INPUT, "header '%.*s' cannot be added to answers",
                       (int)header->name.size, header->name.data);
    }
    if (!bytes_append(&site->lines, header->name.data, header->name.size) ||
        !bytes_append(&site->lines, ": ", 2) ||
        !bytes_append(&site->lines, header->value.data, header->value.size) ||
        !bytes_append(&site->lines, "\r\n", 2)) {
        return err_set_memory(err);
    }
    return true;
}

bool site_init(struct site *site, const struct serve_options *options, struct err *err)
{
    *site = (struct site){.options = *options, .listen = strdup(options->listen)};
    site->shaping = (struct shaping){.compression = options->compression, .cors = options->cors};
    site->shapes = options->compression != NULL || options->cors != NULL;
    site->options.listen = NULL;
    site->options.headers = NULL;
    if (site->listen == NULL) {
        return err_set_memory(err);
    }
    http1_rules_init(&site->rules, options->header_bytes_max, options->header_count_max,
                     options->target_bytes_max);
    for (size_t i = 0; i < options->header_count; i++) {
        if (!add_line(site, &options->headers[i], err)) {
            return false;
        }
    }
    if (rate_limits_any(&options->rate)) {
        site->rate = rate_create(&options->rate, env_system());
        return site->rate != NULL || err_set_memory(err);
    }
    return true;
}

void site_fini(struct site *site)
{
    free(site->listen);
    bytes_fini(&site->lines);
    rate_destroy(site->rate);
}
