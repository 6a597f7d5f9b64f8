/* Of [[serve]]: which proxies are believed. */
#include "manifest/section.h"

#include <string.h>

void proxies_read(struct loader *loader, const struct toml_node *node, struct manifest_serve *serve)
{
    struct text_list list = loader_texts(loader, "'trusted-proxies'", node);
    struct cidr *blocks = loader_alloc(loader, list.count, sizeof(*blocks));
    if (blocks == NULL) {
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        struct err err;
        if (strcmp(list.values[i], "unix") == 0) {
            serve->trusted.unix_sockets = true;
        } else if (!cidr_parse(list.values[i], &blocks[serve->trusted.count], &err)) {
            problem_error(loader->problems, loader_value(loader, list.nodes[i]),
                          "'trusted-proxies': %s", err.text);
        } else if (blocks[serve->trusted.count].bits == 0) {
            problem_error(loader->problems, loader_value(loader, list.nodes[i]),
                          "'trusted-proxies': '%.80s' is everybody, who could then claim to be "
                          "anyone; name the proxies",
                          list.values[i]);
        } else {
            serve->trusted.count++;
        }
    }
    serve->trusted.blocks = blocks;
    serve->trusted.line = loader_value(loader, node).line;
    serve->trusted.written = list.values;
}

void proxies_check(struct loader *loader, const struct toml_node *table,
                   const struct manifest_serve *serve)
{
    if (serve->proxy_protocol.value && section_key(loader, table, "trusted-proxies") == NULL) {
        problem_error(loader->problems,
                      loader_key(loader, section_key(loader, table, "proxy-protocol")),
                      "'proxy-protocol' is for connections of proxies; say which they are: "
                      "trusted-proxies = [\"10.0.0.0/8\"]");
    }
}
