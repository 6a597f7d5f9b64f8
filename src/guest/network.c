#include "guest/network.h"

#include "base/number.h"
#include "guest/machine.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct network_policy {
    atomic_uint references; /* any thread */
    size_t count;           /* constant */
    struct network_rule rules[];
};

/* ---- addresses ---- */

struct span {
    uint8_t bytes[4];
    uint8_t bits;
};

static bool span_holds(const struct span *span, bool v6, const struct ip *ip)
{
    struct cidr block = {.ip = {.v6 = v6}, .bits = span->bits};
    memcpy(block.ip.bytes, span->bytes, sizeof span->bytes);
    return cidr_holds(&block, ip);
}

static bool any_holds(const struct span *spans, size_t count, bool v6, const struct ip *ip)
{
    for (size_t i = 0; i < count; i++) {
        if (span_holds(&spans[i], v6, ip)) {
            return true;
        }
    }
    return false;
}

/* The IPv4 address that is meant by an IPv6 one, else the address itself. */
static struct ip meant(const struct ip *ip)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    bool translated = ip->v6 && memcmp(ip->bytes, nat64, sizeof nat64) == 0;
    return translated ? ip_make(ip->bytes + sizeof nat64, false) : ip_make(ip->bytes, ip->v6);
}

bool network_is_public(const struct ip *address)
{
    /* IANA IPv4 Special-Purpose Address Registry: what is not globally reachable; with 6to4 relays, and from 224 on. */
    static const struct span reserved4[] = {
        {{0}, 8},
        {{10}, 8},
        {{100, 64}, 10},
        {{127}, 8},
        {{168, 63, 129, 16},
         32}, /* not IANA's: a cloud's host answers there, only to the machines on it */
        {{169, 254}, 16},
        {{172, 16}, 12},
        {{192, 0, 0}, 24},
        {{192, 0, 2}, 24},
        {{192, 88, 99}, 24},
        {{192, 168}, 16},
        {{198, 18}, 15},
        {{198, 51, 100}, 24},
        {{203, 0, 113}, 24},
        {{224}, 3},
    };
    /* Of the only block that is in use, 2000::/3: protocol assignments with Teredo, documentation, 6to4. */
    static const struct span global6 = {{0x20}, 3};
    static const struct span reserved6[] = {
        {{0x20, 0x01, 0x00, 0x00}, 23},
        {{0x20, 0x01, 0x0d, 0xb8}, 32},
        {{0x20, 0x02}, 16},
        {{0x3f, 0xff, 0x00}, 20},
    };
    struct ip ip = meant(address);
    if (!ip.v6) {
        return !any_holds(reserved4, ARRAY_LENGTH(reserved4), false, &ip);
    }
    return span_holds(&global6, true, &ip) &&
           !any_holds(reserved6, ARRAY_LENGTH(reserved6), true, &ip);
}

static bool is_loopback(const struct ip *ip)
{
    static const struct span loopback4 = {{127}, 8};
    static const struct ip loopback6 = {.v6 = true, .bytes = {[15] = 1}};
    return span_holds(&loopback4, false, ip) ||
           (ip->v6 && memcmp(ip->bytes, loopback6.bytes, sizeof ip->bytes) == 0);
}

/* Nobody in particular: "this network", which Linux takes for this machine, and groups. */
static bool is_nobody(const struct ip *ip)
{
    static const struct span nobody4[] = {{{0}, 8}, {{224}, 4}, {{255, 255, 255, 255}, 32}};
    static const struct span group6 = {{0xff}, 8};
    static const uint8_t zero[16];
    return any_holds(nobody4, ARRAY_LENGTH(nobody4), false, ip) || span_holds(&group6, true, ip) ||
           (ip->v6 && memcmp(ip->bytes, zero, sizeof zero) == 0);
}

/* Whether it may be an address of this machine. */
static bool is_of_this_machine(const struct ip *ip)
{
    return is_loopback(ip) || machine_may_have(ip);
}

bool network_address(const struct sockaddr *from, struct ip *ret, uint16_t *ret_port)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        *ret = ip_make(&v4.sin_addr, false);
        *ret_port = ntohs(v4.sin_port);
        return true;
    }
    *ret = (struct ip){0};
    if (from->sa_family != AF_INET6) {
        return false;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, from, sizeof v6);
    *ret = ip_make(&v6.sin6_addr, true);
    *ret_port = ntohs(v6.sin6_port);
    return true;
}

/* ---- this node's listeners ---- */

/* How many listen on each port. Relaxed: listeners are there before the first guest runs. */
static atomic_uint_least16_t own_ports[UINT16_MAX + 1];

void network_own(uint16_t port)
{
    atomic_fetch_add_explicit(&own_ports[port], 1, memory_order_relaxed);
}

void network_disown(uint16_t port)
{
    uint_least16_t before = atomic_fetch_sub_explicit(&own_ports[port], 1, memory_order_relaxed);
    INVARIANT(before > 0);
}

static bool is_own(const struct ip *ip, uint16_t port)
{
    return atomic_load_explicit(&own_ports[port], memory_order_relaxed) > 0 &&
           is_of_this_machine(ip);
}

/* ---- rules ---- */

/* A host name in small letters, without a dot at its end. False: it is none, or too long. */
static bool name_parse(const char *text, size_t size, char ret[NETWORK_NAME_BYTES])
{
    size -= size > 0 && text[size - 1] == '.';
    if (size == 0 || size >= NETWORK_NAME_BYTES) {
        return false;
    }
    size_t label = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!plain && (c != '.' || label == 0)) {
            return false;
        }
        label = plain ? label + 1 : 0;
        if (label > 63) {
            return false;
        }
        ret[i] = c;
    }
    ret[size] = '\0';
    return label > 0;
}

/* What resolvers take for an address in one of its odd spellings (127.1, 0x7f000001): its last label begins with a digit. */
static bool ends_like_address(const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *last = dot == NULL ? name : dot + 1;
    return *last >= '0' && *last <= '9';
}

/* Divide "host:port". False: ERR_INPUT. */
static bool split_port(const char *text, size_t *ret_start, size_t *ret_size, uint16_t *ret_port,
                       struct err *err)
{
    const char *port = NULL;
    *ret_port = 0;
    *ret_start = 0;
    *ret_size = strlen(text);
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
            return err_set(err, ERR_INPUT, "'%.80s': write \"[address]\" or \"[address]:port\"",
                           text);
        }
        *ret_start = 1;
        *ret_size = (size_t)(end - text) - 1;
        port = end[1] == ':' ? end + 2 : NULL;
    } else {
        const char *colon = strchr(text, ':');
        if (colon != NULL && strchr(colon + 1, ':') == NULL) {
            *ret_size = (size_t)(colon - text);
            port = colon + 1;
        }
    }
    uint64_t number = 0;
    if (port != NULL && (!number_parse(port, strlen(port), UINT16_MAX, &number) || number == 0)) {
        return err_set(err, ERR_INPUT, "'%.80s': behind the ':' stands a port, 1 to 65535%s", text,
                       strstr(text, "://") != NULL ? "; write the host only, without a scheme"
                                                   : "");
    }
    *ret_port = (uint16_t)number;
    return true;
}

static bool block_parse(const char *text, const char *host, struct network_rule *ret,
                        struct err *err)
{
    struct cidr *block = &ret->block;
    ret->kind = NETWORK_BLOCK;
    if (!cidr_parse(host, block, err)) {
        return false;
    }
    return text[0] != '[' || block->ip.v6 ||
           err_set(err, ERR_INPUT, "'%.80s': brackets are for IPv6", text);
}

bool network_rule_parse(const char *text, struct network_rule *ret, struct err *err)
{
    size_t start = 0;
    size_t size = 0;
    *ret = (struct network_rule){.kind = NETWORK_PUBLIC};
    if (!split_port(text, &start, &size, &ret->port, err)) {
        return false;
    }
    char host[NETWORK_NAME_BYTES + 2] = "";
    if (size < sizeof host) {
        memcpy(host, text + start, size);
        host[size] = '\0';
    }
    struct ip ip;
    if (text[0] == '[' || strchr(host, '/') != NULL || ip_parse(host, strlen(host), &ip)) {
        return block_parse(text, host, ret, err);
    }
    if (strcmp(host, "*") == 0) {
        return true;
    }
    bool below = strncmp(host, "*.", 2) == 0;
    const char *name = host + (below ? 2 : 0);
    if (!name_parse(name, strlen(name), ret->name) || ends_like_address(ret->name)) {
        return err_set(err, ERR_INPUT,
                       "'%.80s' is neither a host nor an address; write \"example.com\", "
                       "\"*.example.com\", \"10.0.0.0/8\", \"[2001:db8::1]\" or \"*\", each also "
                       "with a port: \"example.com:443\"",
                       text);
    }
    ret->kind = below                                 ? NETWORK_BELOW
                : strcmp(ret->name, "localhost") == 0 ? NETWORK_LOOPBACK
                                                      : NETWORK_NAME;
    return true;
}

struct network_policy *network_policy_create(const char *const *rules, struct err *err)
{
    size_t count = 0;
    while (rules != NULL && rules[count] != NULL) {
        count++;
    }
    if (count > NETWORK_RULES_MAX) {
        (void)err_set(err, ERR_LIMIT, "%zu entries, at most %d", count, (int)NETWORK_RULES_MAX);
        return NULL;
    }
    struct network_policy *policy = malloc(sizeof *policy + count * sizeof policy->rules[0]);
    if (policy == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    atomic_init(&policy->references, 1);
    policy->count = count;
    for (size_t i = 0; i < count; i++) {
        if (!network_rule_parse(rules[i], &policy->rules[i], err)) {
            free(policy);
            return NULL;
        }
    }
    return policy;
}

struct network_policy *network_policy_retain(struct network_policy *policy)
{
    if (policy != NULL) {
        /* Relaxed: whoever retains has a reference. */
        atomic_fetch_add_explicit(&policy->references, 1, memory_order_relaxed);
    }
    return policy;
}

void network_policy_release(struct network_policy *policy)
{
    /* Acquire and release: all uses come before the end. */
    if (policy != NULL &&
        atomic_fetch_sub_explicit(&policy->references, 1, memory_order_acq_rel) == 1) {
        free(policy);
    }
}

bool network_policy_is_empty(const struct network_policy *policy)
{
    return policy == NULL || policy->count == 0;
}

/* ---- decisions ---- */

static bool name_matches(const struct network_rule *rule, const char *name)
{
    if (rule->kind == NETWORK_NAME) {
        return strcmp(rule->name, name) == 0;
    }
    size_t size = strlen(name);
    size_t below = strlen(rule->name);
    return size > below + 1 && name[size - below - 1] == '.' &&
           strcmp(name + size - below, rule->name) == 0;
}

/* What listens at this machine's own addresses, public or not, was seldom meant for everybody. */
static bool is_of_others(const struct ip *ip)
{
    return network_is_public(ip) && !machine_has(ip);
}

static bool rule_allows(const struct network_rule *rule, const struct ip *ip, uint16_t port,
                        const char *name)
{
    if (rule->port != 0 && rule->port != port) {
        return false;
    }
    switch (rule->kind) {
    case NETWORK_PUBLIC:
        return is_of_others(ip);
    case NETWORK_NAME:
    case NETWORK_BELOW:
        return name_matches(rule, name) && is_of_others(ip);
    case NETWORK_BLOCK:
        return cidr_holds(&rule->block, ip);
    case NETWORK_LOOPBACK:
        return is_loopback(ip);
    }
    BUG("network rule %d", (int)rule->kind);
}

bool network_policy_allows(const struct network_policy *policy, const struct ip *address,
                           uint16_t port, const char *host)
{
    struct ip ip = meant(address);
    char name[NETWORK_NAME_BYTES];
    if (network_policy_is_empty(policy) || is_nobody(address) || is_nobody(&ip)) {
        return false;
    }
    if (host == NULL || !name_parse(host, strlen(host), name)) {
        name[0] = '\0';
    }
    for (size_t i = 0; i < policy->count; i++) {
        if (rule_allows(&policy->rules[i], &ip, port, name)) {
            return !is_own(&ip, port) && !is_own(address, port);
        }
    }
    return false;
}

/* A look-up tells the name to servers of others, who may be the guest's accomplices: leave to connect to some addresses is not
 * leave to tell anybody something. To whom all addresses are open nothing more is given away; "localhost" says nothing. */
static bool rule_may_resolve(const struct network_rule *rule, const char *name)
{
    switch (rule->kind) {
    case NETWORK_PUBLIC:
        return true;
    case NETWORK_NAME:
    case NETWORK_BELOW:
        return name_matches(rule, name);
    case NETWORK_BLOCK:
        return rule->block.bits == 0 || strcmp(name, "localhost") == 0;
    case NETWORK_LOOPBACK:
        return strcmp(name, "localhost") == 0;
    }
    BUG("network rule %d", (int)rule->kind);
}

bool network_policy_may_resolve(const struct network_policy *policy, const char *host)
{
    char name[NETWORK_NAME_BYTES];
    if (network_policy_is_empty(policy) || !name_parse(host, strlen(host), name)) {
        return false;
    }
    for (size_t i = 0; i < policy->count; i++) {
        if (rule_may_resolve(&policy->rules[i], name)) {
            return true;
        }
    }
    return false;
}

void network_policy_advise(const struct ip *address, uint16_t port, const char *host,
                           char ret[NETWORK_ADVICE_BYTES])
{
    struct ip ip = meant(address);
    char name[NETWORK_NAME_BYTES];
    char endpoint[IP_TEXT_BYTES];
    ip_format_endpoint(&ip, port, endpoint);
    if (is_nobody(&ip) || is_own(&ip, port)) {
        snprintf(ret, NETWORK_ADVICE_BYTES, "no allow-network opens %s, which is %s,", endpoint,
                 is_nobody(&ip) ? "nobody's address" : "a listener of this node");
    } else if (host != NULL && is_of_others(&ip) && name_parse(host, strlen(host), name) &&
               !ends_like_address(name)) {
        snprintf(ret, NETWORK_ADVICE_BYTES, "allow-network = [\"%s:%u\"]", name, (unsigned)port);
    } else {
        snprintf(ret, NETWORK_ADVICE_BYTES, "allow-network = [\"%s\"]", endpoint);
    }
}
