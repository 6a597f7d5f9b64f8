/* The TOML parser that rides in the engine's library. */
#include "manifest/toml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above. */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct toml_document *parse(const char *text)
{
    struct toml_error error;
    struct toml_document *document = toml_parse(text, strlen(text), &error);
    if (document == NULL) {
        fail_msg("%u:%u: %s", error.line, error.column, error.text);
    }
    return document;
}

/** The child of `parent` of that name. */
static const struct toml_node *find(const struct toml_node *nodes, const struct toml_node *parent,
                                    const char *key)
{
    for (uint32_t i = parent->first_child; i != 0; i = nodes[i].next) {
        if (strcmp(nodes[i].key, key) == 0) {
            return &nodes[i];
        }
    }
    fail_msg("no key %s", key);
    return NULL;
}

static void every_kind_of_value_is_read(void **state)
{
    (void)state;
    struct toml_document *document = parse("text = \"a\\tb\"\n"
                                           "number = -9_000\n"
                                           "real = 2.5\n"
                                           "flag = true\n"
                                           "when = 2024-05-06T07:08:09Z\n"
                                           "list = [1, 'two']\n");
    size_t count = 0;
    const struct toml_node *nodes = toml_nodes(document, &count);

    assert_int_equal(count, 9);
    assert_int_equal(nodes[0].kind, TOML_TABLE);
    assert_null(nodes[0].key);
    const struct toml_node *text = find(nodes, nodes, "text");
    assert_int_equal(text->kind, TOML_STRING);
    assert_string_equal(text->text, "a\tb");
    assert_int_equal(text->text_bytes, 3);
    assert_int_equal(text->key_bytes, 4);
    assert_int_equal(find(nodes, nodes, "number")->kind, TOML_INTEGER);
    assert_int_equal(find(nodes, nodes, "number")->integer, -9000);
    assert_int_equal(find(nodes, nodes, "real")->kind, TOML_FLOAT);
    assert_true(find(nodes, nodes, "real")->real > 2.4 && find(nodes, nodes, "real")->real < 2.6);
    assert_int_equal(find(nodes, nodes, "flag")->kind, TOML_BOOLEAN);
    assert_true(find(nodes, nodes, "flag")->boolean);
    assert_int_equal(find(nodes, nodes, "when")->kind, TOML_DATETIME);
    assert_string_equal(find(nodes, nodes, "when")->text, "2024-05-06T07:08:09Z");
    const struct toml_node *list = find(nodes, nodes, "list");
    assert_int_equal(list->kind, TOML_ARRAY);
    const struct toml_node *first = &nodes[list->first_child];
    assert_null(first->key);
    assert_int_equal(first->integer, 1);
    assert_string_equal(nodes[first->next].text, "two");
    assert_int_equal(nodes[first->next].next, 0);
    toml_document_destroy(document);
}

static void tables_of_every_style_are_tables(void **state)
{
    (void)state;
    struct toml_document *document = parse("[node]\n"
                                           "name = \"n\"\n"
                                           "[[serve]]\n"
                                           "listen = \":1\"\n"
                                           "[serve.routes]\n"
                                           "\"GET /\" = \"a#b\"\n"
                                           "[[serve]]\n"
                                           "listen = \":2\"\n"
                                           "[components]\n"
                                           "a = { source = \"x\" }\n"
                                           "b.source = \"y\"\n");
    const struct toml_node *nodes = toml_nodes(document, &(size_t){0});

    const struct toml_node *serve = find(nodes, nodes, "serve");
    assert_int_equal(serve->kind, TOML_ARRAY);
    const struct toml_node *first = &nodes[serve->first_child], *second = &nodes[first->next];
    assert_int_equal(first->kind, TOML_TABLE);
    assert_string_equal(find(nodes, first, "listen")->text, ":1");
    assert_string_equal(find(nodes, find(nodes, first, "routes"), "GET /")->text, "a#b");
    assert_string_equal(find(nodes, second, "listen")->text, ":2");
    assert_int_equal(second->next, 0);
    const struct toml_node *components = find(nodes, nodes, "components");
    assert_string_equal(find(nodes, find(nodes, components, "a"), "source")->text, "x");
    assert_string_equal(find(nodes, find(nodes, components, "b"), "source")->text, "y");
    toml_document_destroy(document);
}

static void everything_knows_where_it_stood(void **state)
{
    (void)state;
    struct toml_document *document = parse("# comment\n"
                                           "[ node ]\n"
                                           "\n"
                                           "  name = 1\n"
                                           "  \"\xc3\xb6\xc3\xb6\" = { deep = [ 5, 6 ] }\n"
                                           "[[serve]]\n"
                                           "a.b = 3\n"
                                           "[[serve]]\n");
    const struct toml_node *nodes = toml_nodes(document, &(size_t){0});
    const struct toml_node *node = find(nodes, nodes, "node");
    const struct toml_node *quoted = find(nodes, node, "\xc3\xb6\xc3\xb6");
    const struct toml_node *deep = find(nodes, quoted, "deep");
    const struct toml_node *serve = find(nodes, nodes, "serve");

    assert_int_equal(node->key_line, 2);
    assert_int_equal(node->key_column, 3);
    assert_int_equal(node->line, 2);
    assert_int_equal(node->column, 1);
    assert_int_equal(quoted->key_line, 5);
    assert_int_equal(quoted->key_column, 3);
    assert_int_equal(quoted->column, 10); /* The brace; characters, not bytes. */
    assert_int_equal(deep->key_column, 12);
    assert_int_equal(nodes[deep->first_child].column, 21);
    assert_int_equal(nodes[nodes[deep->first_child].next].column, 24);
    assert_int_equal(nodes[serve->first_child].line, 6);
    assert_int_equal(nodes[nodes[serve->first_child].next].line, 8);
    assert_int_equal(find(nodes, &nodes[serve->first_child], "a")->line, 7);
    assert_int_equal(find(nodes, &nodes[serve->first_child], "a")->key_column, 1);
    toml_document_destroy(document);
}

static void an_error_says_what_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
    } cases[] = {
        {"a = 1\nb = \n", 2, 5},
        {"a = 1\na = 2\n", 2, 1},
        {"x = \"open\n", 1, 10},
        {"[a]\n[a]\n", 2, 2},
        {"ok = 1\n\xff = 2\n", 2, 1},
        {"x = 99999999999999999999\n", 1, 5},
        {"\xc3\xa4 = 1\n'\xc3\xa4' = ]\n", 2, 7},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct toml_error error = {0};

        assert_null(toml_parse(cases[i].text, strlen(cases[i].text), &error));

        assert_int_equal(error.line, cases[i].line);
        assert_int_equal(error.column, cases[i].column);
        assert_true(strlen(error.text) > 0);
        assert_null(strchr(error.text, '\n'));
    }
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE + 1);
    struct toml_error error = {0};
    assert_non_null(text);

    memset(text, '[', SIZE);
    assert_null(toml_parse(text, SIZE, &error));
    for (size_t i = 0; i < SIZE; i += 2) {
        memcpy(text + i, "a.", 2);
    }
    assert_null(toml_parse(text, SIZE, &error));
    assert_string_equal(error.text, "a key of more than 16 parts");
    memcpy(text, "x = ", 4);
    for (size_t i = 4; i + 4 <= SIZE; i += 4) {
        memcpy(text + i, "{a=\n", 4);
    }
    assert_null(toml_parse(text, SIZE, &error));
    memset(text, '#', SIZE + 1);
    assert_null(toml_parse(text, SIZE + 1, &error));
    assert_string_equal(error.text, "more than 1048576 bytes");
    toml_document_destroy(toml_parse(text, SIZE, &error));
    free(text);
}

static void dots_in_strings_and_comments_are_no_parts_of_a_key(void **state)
{
    (void)state;
    struct toml_document *document = parse("# . . . . . . . . . . . . . . . . . . . .\n"
                                           "a = \"....................\\\"....................\"\n"
                                           "b = '''\n.............................'''\n"
                                           "c = \"\"\"...............................\"\"\"\n"
                                           "d = [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 1.5, "
                                           "2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5]\n"
                                           "'..................' = 1\n");
    const struct toml_node *nodes = toml_nodes(document, &(size_t){0});

    assert_int_equal(find(nodes, nodes, "..................")->integer, 1);
    toml_document_destroy(document);
}

static void an_empty_document_is_an_empty_table(void **state)
{
    (void)state;
    struct toml_document *document = parse("");
    size_t count = 0;

    assert_int_equal(toml_nodes(document, &count)->first_child, 0);
    assert_int_equal(count, 1);
    toml_document_destroy(document);
    toml_document_destroy(NULL);
}

static void strings_may_hold_a_zero(void **state)
{
    (void)state;
    struct toml_document *document = parse("a = \"x\\u0000y\"\n");
    const struct toml_node *nodes = toml_nodes(document, &(size_t){0});
    const struct toml_node *text = find(nodes, nodes, "a");

    assert_int_equal(text->text_bytes, 3);
    assert_memory_equal(text->text, "x\0y", 4);
    toml_document_destroy(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(tables_of_every_style_are_tables),
        cmocka_unit_test(everything_knows_where_it_stood),
        cmocka_unit_test(an_error_says_what_and_where),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(dots_in_strings_and_comments_are_no_parts_of_a_key),
        cmocka_unit_test(an_empty_document_is_an_empty_table),
        cmocka_unit_test(strings_may_hold_a_zero),
    };
    return cmocka_run_group_tests_name("TOML", tests, NULL, NULL);
}
