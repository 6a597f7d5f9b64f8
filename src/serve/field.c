#include "serve/field.h"

#include "base/token.h"

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

bool field_is_valid(const struct header *header)
{
    struct text name = header->name, value = header->value;
    if (!token_is_valid(name.data, name.size) || !token_is_value(value.data, value.size)) {
        return false;
    }
    return value.size == 0 || (!is_blank(value.data[0]) && !is_blank(value.data[value.size - 1]));
}

enum field_kind field_kind_of(struct text name)
{
    static const struct {
        struct text name;
        enum field_kind kind;
    } known[] = {
        {{"date", 4}, FIELD_DATE},
        {{"server", 6}, FIELD_SERVER},
        {{"x-request-id", 12}, FIELD_REQUEST_ID},
        {{"connection", 10}, FIELD_CONNECTION},
        {{"content-length", 14}, FIELD_CONNECTION},
        {{"transfer-encoding", 17}, FIELD_CONNECTION},
        {{"keep-alive", 10}, FIELD_CONNECTION},
        {{"upgrade", 7}, FIELD_CONNECTION},
        {{"trailer", 7}, FIELD_CONNECTION},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (name.size == known[i].name.size &&
            text_equal_nocase(name, known[i].name.data, known[i].name.size)) {
            return known[i].kind;
        }
    }
    return FIELD_PLAIN;
}

struct text field_trim(struct text text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* Up to the next comma that stands outside of quotes. */
static size_t element_size(struct text rest)
{
    bool quoted = false;
    size_t at = 0;
    while (at < rest.size && (quoted || rest.data[at] != ',')) {
        if (rest.data[at] == '"') {
            quoted = !quoted;
        } else if (quoted && rest.data[at] == '\\' && at + 1 < rest.size) {
            at++;
        }
        at++;
    }
    return at;
}

bool field_list_next(struct text *rest, struct text *ret_element)
{
    while (rest->size > 0) {
        size_t size = element_size(*rest);
        *ret_element = field_trim((struct text){rest->data, size});
        size_t taken = size < rest->size ? size + 1 : size;
        *rest = (struct text){rest->data + taken, rest->size - taken};
        if (ret_element->size > 0) {
            return true;
        }
    }
    return false;
}

bool field_list_has(struct text list, const char *element, size_t element_bytes)
{
    struct text one;
    while (field_list_next(&list, &one)) {
        if (text_equal_nocase(one, element, element_bytes)) {
            return true;
        }
    }
    return false;
}
