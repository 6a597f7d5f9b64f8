/* The tables of keys agree with the reference and with themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/schema.h"

#include <stdio.h>
#include <string.h>

struct named {
    const char *heading;
    const struct schema *schema;
};

static const struct named SECTIONS[] = {
    {"\n## `[node]`\n", &SCHEMA_NODE},
    {"\n## `[log]`\n", &SCHEMA_LOG},
    {"\n## `[admin]`\n", &SCHEMA_ADMIN},
    {"\n## `[[serve]]`\n", &SCHEMA_SERVE},
    {"\n### `[[serve.static]]`\n", &SCHEMA_STATIC},
    {"\n### `[serve.cors]`\n", &SCHEMA_CORS},
    {"\n## `[components.<name>]`\n", &SCHEMA_COMPONENT},
    {"\n## `[capabilities.<name>]`\n", &SCHEMA_CAPABILITY},
    {"\n## `[[supervisor]]`\n", &SCHEMA_SUPERVISOR},
    {"\n## `[[schedule]]`\n", &SCHEMA_SCHEDULE},
};

static const char *reference(struct bytes *text)
{
    struct err err;

    if (!bytes_read_file(text, REFERENCE, 1 << 20, &err)) {
        fail_msg("%s", err.text);
    }
    assert_true(bytes_terminate(text));
    return (const char *)text->data;
}

/* 86400000 as the reference writes ranges: 86,400,000, but 4096. */
static void with_commas(uint64_t number, char *ret, size_t capacity)
{
    char plain[24];
    size_t size = (size_t)snprintf(plain, sizeof(plain), "%llu", (unsigned long long)number);
    size_t to = 0;

    for (size_t i = 0; i < size && to + 2 < capacity; i++) {
        if (size > 4 && i > 0 && (size - i) % 3 == 0) {
            ret[to++] = ',';
        }
        ret[to++] = plain[i];
    }
    ret[to] = '\0';
}

static void assert_row(const char *text, const struct field *field)
{
    char row[128], low[32], high[32];

    with_commas(field->min, low, sizeof(low));
    with_commas(field->max, high, sizeof(high));
    if (field->kind == FIELD_NUMBER) {
        (void)snprintf(row, sizeof(row), "\n| `%s` | %s to %s | ", field->key, low, high);
    } else {
        (void)snprintf(row, sizeof(row), "\n| `%s` | ", field->key);
    }
    const char *found = strstr(text, row);
    if (found == NULL) {
        fail_msg("the reference has no row%s", row);
    }
    const char *value = found + strlen(row);
    /* "that of [node]", "the listener's": words are for people to check. */
    if (field->kind == FIELD_NUMBER && *value >= '0' && *value <= '9') {
        (void)snprintf(row, sizeof(row), "%llu |", (unsigned long long)field->fallback);
        if (strncmp(value, row, strlen(row)) != 0) {
            fail_msg("the reference has another default for `%s` than %s", field->key, row);
        }
    }
}

static void every_key_is_in_the_reference_with_range_and_default(void **state)
{
    (void)state;
    struct bytes text = {0};
    const char *all = reference(&text);

    for (size_t s = 0; s < ARRAY_LENGTH(SECTIONS); s++) {
        const char *section = strstr(all, SECTIONS[s].heading);
        assert_non_null(section);
        for (size_t g = 0; g < SCHEMA_GROUPS; g++) {
            const struct field_group *own = &SECTIONS[s].schema->groups[g];
            for (size_t i = 0; own->fields != LIMIT_FIELDS && i < own->count; i++) {
                const struct field *field = &own->fields[i];
                if (field->kind != FIELD_LATER && field->kind != FIELD_ELSEWHERE &&
                    field->kind != FIELD_TABLE) {
                    assert_row(section, field);
                }
            }
        }
    }
    const char *limits = strstr(all, "\n## Limits\n");
    assert_non_null(limits);
    for (size_t i = 0; i < LIMIT_FIELD_COUNT; i++) {
        assert_row(limits, &LIMIT_FIELDS[i]);
    }
    bytes_fini(&text);
}

static void every_key_of_a_later_version_is_listed_as_such(void **state)
{
    (void)state;
    struct bytes text = {0};
    const char *later = strstr(reference(&text), "\n## Not in this version\n");

    assert_non_null(later);
    for (size_t s = 0; s < ARRAY_LENGTH(SECTIONS); s++) {
        const struct field_group *own = &SECTIONS[s].schema->groups[0];
        for (size_t i = 0; i < own->count; i++) {
            if (own->fields[i].kind == FIELD_LATER && strstr(later, own->fields[i].key) == NULL) {
                fail_msg("`%s` is not listed", own->fields[i].key);
            }
        }
    }
    bytes_fini(&text);
}

static void every_default_lies_within_its_range(void **state)
{
    (void)state;
    for (size_t s = 0; s < ARRAY_LENGTH(SECTIONS); s++) {
        for (size_t g = 0; g < SCHEMA_GROUPS; g++) {
            const struct field_group *group = &SECTIONS[s].schema->groups[g];
            for (size_t i = 0; i < group->count; i++) {
                const struct field *field = &group->fields[i];
                if (field->kind == FIELD_NUMBER) {
                    assert_in_range(field->fallback, field->min, field->max);
                    assert_in_range(field->max, field->min, INT64_MAX);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_in_the_reference_with_range_and_default),
        cmocka_unit_test(every_key_of_a_later_version_is_listed_as_such),
        cmocka_unit_test(every_default_lies_within_its_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
