/* Whatever a guest gives spawn_from(): one kind of source, whose text lies within what was given; and what is Wasm is looked at as the
 * process that compiles does it, with counts that are checked before anything is multiplied by them. */
#include "guest/dynamic_compiler.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void look_at_text(const struct dynamic_source *source, const uint8_t *data,
                         size_t size_bytes)
{
    const char *begin = (const char *)data;
    INVARIANT(source->text > begin);
    INVARIANT(source->text_bytes > 0);
    INVARIANT(source->text + source->text_bytes == begin + size_bytes);
}

static void look_at_wasm(const uint8_t *data, size_t size_bytes)
{
    struct engine_inspection inspection;
    struct err err = {0};
    if (!engine_inspect(data, size_bytes, &inspection, &err)) {
        INVARIANT(err.code == ERR_INPUT);
        INVARIANT(err.text[0] != '\0');
        return;
    }
    INVARIANT(inspection.kind == ENGINE_MODULE || inspection.kind == ENGINE_COMPONENT);
    if (dynamic_compiler_checks(&inspection, &err)) {
        INVARIANT(inspection.memories <= CAPACITY_PARTS_MAX);
        INVARIANT(inspection.tables <= CAPACITY_PARTS_MAX);
        INVARIANT(inspection.core_instances <= CAPACITY_PARTS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct dynamic_source source = dynamic_source_parse(data, size_bytes);
    switch (source.kind) {
    case DYNAMIC_WASM:
        look_at_wasm(data, size_bytes);
        return 0;
    case DYNAMIC_URL:
    case DYNAMIC_STORE:
        look_at_text(&source, data, size_bytes);
        return 0;
    case DYNAMIC_DIGEST:
        look_at_text(&source, data, size_bytes);
        INVARIANT(source.text_bytes == (size_t)2 * DYNAMIC_DIGEST_BYTES);
        return 0;
    case DYNAMIC_TOO_LARGE:
        INVARIANT(size_bytes > DYNAMIC_SOURCE_BYTES_MAX);
        return 0;
    case DYNAMIC_MALFORMED:
        return 0;
    }
    BUG("kind of source");
}
