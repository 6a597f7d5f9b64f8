/* What `mote check` shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_world.h"

#include <stdlib.h>
#include <string.h>

static const char TEXT[] = "[node]\n"
                           "workers = 2\n"
                           "[capabilities.web]\n"
                           "inherits = \"trusted\"\n"
                           "env = [\"TOKEN\"]\n"
                           "preopen = [\"data::/data:rw\"]\n"
                           "[components.api]\n"
                           "capability = \"web\"\n"
                           "args = [\"${TOKEN}\", \"\\u001b\"]\n"
                           "deadline-ms = 500\n"
                           "[[serve]]\n"
                           "[serve.headers]\n"
                           "X-T = \"${TOKEN}\"\n"
                           "[serve.routes]\n"
                           "\"GET /users/:id\" = \"api#show\"\n";

static char *printed(enum manifest_form form)
{
    static const char *const LISTEN[] = {"127.0.0.1:0"};
    const struct manifest_overrides overrides = {.listen = LISTEN, .listen_count = 1};
    struct problems problems = {0};
    struct bytes text = {0};
    struct manifest *manifest = fake_load(TEXT, &overrides, &problems);

    assert_non_null(manifest);
    manifest->node.max_processes = (struct manifest_number){13000, MANIFEST_MACHINE};
    assert_true(manifest_print(manifest, form, &text));
    assert_true(bytes_terminate(&text));
    char *copy = strdup((char *)text.data);
    manifest_destroy(manifest);
    problems_fini(&problems);
    bytes_fini(&text);
    return copy;
}

/* Two of them: a compiler need not take more than 4095 bytes as one. */
static const char FIRST[] =
    "[node]\n"
    "  name                         mote                            default\n"
    "  workers                      2                               mote.toml:2\n"
    "  max-processes                13000                           machine\n"
    "  max-connections              from the limits in force        default\n"
    "  max-buffered-mb              from the limits in force        default\n"
    "  max-memory-mb                64                              default\n"
    "  tick-ms                      1                               default\n"
    "  drain-ms                     30000                           default\n"
    "  max-restarts                 3                               default\n"
    "  window-ms                    5000                            default\n"
    "  on-escalation                stay-down                       default\n"
    "  user                         as started                      default\n"
    "  max-fetches                  1024                            default\n"
    "  fetch-keep-ms                5000                            default\n"
    "  ca-certificates              the system's                    default\n"
    "\n"
    "[log]\n"
    "  level                        info                            default\n"
    "  format                       text                            default\n"
    "  access                       true                            default\n"
    "\n"
    "[admin]\n"
    "  listen                       a socket in the runtime folder  default\n"
    "\n"
    "[components.api]\n"
    "  source                       wasm/api.wasm                   default\n"
    "  capability                   web                             mote.toml:8\n"
    "  entry                        none                            default\n"
    "  namespace                    main                            default\n"
    "  max-processes                only the node's limit           default\n"
    "  template                     false                           default\n"
    "  resident                     false                           default\n"
    "  max-memory-mb                64                              default\n"
    "  max-cpu-ms                   10000                           default\n"
    "  deadline-ms                  500                             mote.toml:10\n"
    "  stream-deadline-ms           the listener's                  default\n"
    "  mailbox-messages             10000                           default\n"
    "  mailbox-bytes                16777216                        default\n"
    "  mailbox-policy               refuse                          default\n"
    "  log-lines-per-second         100                             default\n"
    "  max-message-bytes            4194304                         default\n"
    "  max-children                 1000                            default\n"
    "  max-ties                     10000                           default\n"
    "  max-timers                   1000                            default\n"
    "  max-names                    16                              default\n"
    "  max-tags                     256                             default\n"
    "  max-groups                   256                             default\n"
    "  max-streams                  64                              default\n"
    "  stream-buffer-bytes          262144                          default\n"
    "  max-fetches                  16                              default\n"
    "  fetch-connect-ms             10000                           default\n"
    "  fetch-idle-ms                30000                           default\n"
    "  fetch-deadline-ms            300000                          default\n"
    "  allow-stdio                  true                            profile\n"
    "  allow-process-control        true                            profile\n"
    "  accept-links                 false                           default\n"
    "  allow-spawn                  all                             profile\n"
    "  allow-namespaces             none                            default\n"
    "  allow-network                any public address              profile\n"
    "  args                         ${TOKEN} \\x1b                   mote.toml:9\n"
    "  env                          TOKEN                           mote.toml:8\n"
    "  preopen                      /app/data as /data, rw          mote.toml:6\n";
static const char SECOND[] =
    "\n"
    "[[serve]] 1\n"
    "  listen                       127.0.0.1:0                     option\n"
    "  protocol                     http                            default\n"
    "  component                    none                            default\n"
    "  deadline-ms                  30000                           default\n"
    "  stream-deadline-ms           off                             default\n"
    "  header-timeout-ms            10000                           default\n"
    "  idle-timeout-ms              60000                           default\n"
    "  write-timeout-ms             30000                           default\n"
    "  body-bytes-per-second        1024                            default\n"
    "  max-header-bytes             32768                           default\n"
    "  max-header-count             128                             default\n"
    "  max-target-bytes             8192                            default\n"
    "  max-body-bytes               10485760                        default\n"
    "  stream-buffer-bytes          262144                          default\n"
    "  disconnect-grace-ms          5000                            default\n"
    "  heartbeat-ms                 15000                           default\n"
    "  cancel-on-disconnect         false                           default\n"
    "  max-message-bytes            1048576                         default\n"
    "  ping-ms                      30000                           default\n"
    "  proxy-protocol               false                           default\n"
    "  compression-min-bytes        1024                            default\n"
    "  security-headers             false                           default\n"
    "  redirect-to-https            false                           default\n"
    "  https-port                   443                             default\n"
    "  max-connections-per-address  off                             default\n"
    "  connections-per-second       off                             default\n"
    "  requests-per-second          off                             default\n"
    "  requests-burst               as many as a second gives       default\n"
    "  compression                  none                            default\n"
    "  compression-types            the usual ones                  default\n"
    "  cors                         none                            default\n"
    "  subprotocols                 none                            default\n"
    "  allowed-origins              the host that was asked         default\n"
    "  trusted-proxies              none                            default\n"
    "  tls                          none                            default\n"
    "  header X-T                   ${TOKEN}                        mote.toml:13\n"
    "  GET /users/:id               api#show, deadline-ms 500       mote.toml:15\n";

static void a_table_shows_every_setting_with_its_source(void **state)
{
    (void)state;
    char *text = printed(MANIFEST_TEXT);
    char *rest = strstr(text, "\n[[serve]] 1\n");
    assert_non_null(rest);
    assert_string_equal(rest, SECOND);
    *rest = '\0';
    assert_string_equal(text, FIRST);
    free(text);
}

static void json_says_the_same_to_programs(void **state)
{
    (void)state;
    static const char *const PARTS[] = {
        "{\"manifest\":\"mote.toml\",\"node\":{\"name\":{\"value\":\"mote\",\"source\":\"default\"}"
        ","
        "\"workers\":{\"value\":2,\"source\":\"mote.toml:2\"},"
        "\"max-processes\":{\"value\":13000,\"source\":\"machine\"},"
        "\"max-connections\":{\"value\":0,\"meaning\":\"from the limits in force\","
        "\"source\":\"default\"},",
        "\"access\":{\"value\":true,\"source\":\"default\"}},\"admin\":{\"listen\":{\"value\":null,"
        "\"meaning\":\"a socket in the runtime folder\",\"source\":\"default\"}},"
        "\"components\":{\"api\":{\"source\":",
        "\"args\":[\"${TOKEN}\",\"\\u001b\"],\"env\":[\"TOKEN\"],\"preopen\":[{\"path\":\"/app/"
        "data\","
        "\"guest\":\"/"
        "data\",\"mode\":\"rw\",\"source\":\"mote.toml:6\"}]}},\"supervisor\":[],\"schedule\":[],"
        "\"serve\":[{",
        "\"headers\":[{\"name\":\"X-T\",\"value\":\"${TOKEN}\",\"source\":\"mote.toml:13\"}],"
        "\"routes\":[{\"method\":\"GET\",\"pattern\":\"/users/:id\",\"component\":\"api\","
        "\"entry\":\"show\",\"deadline-ms\":500,\"stream-deadline-ms\":0,"
        "\"source\":\"mote.toml:15\"}]}]}\n",
    };
    char *text = printed(MANIFEST_JSON);
    for (size_t i = 0; i < ARRAY_LENGTH(PARTS); i++) {
        if (strstr(text, PARTS[i]) == NULL) {
            fail_msg("%s\nis not in\n%s", PARTS[i], text);
        }
    }
    free(text);
}

static const char ACTORS[] = "[capabilities.boss]\n"
                             "allow-spawn = [\"worker\"]\n"
                             "[components.db]\n"
                             "resident = true\n"
                             "shutdown-ms = 0\n"
                             "[components.api]\n"
                             "capability = \"boss\"\n"
                             "resident = true\n"
                             "restart = \"transient\"\n"
                             "[components.worker]\n"
                             "[[supervisor]]\n"
                             "name = \"shop\"\n"
                             "strategy = \"rest-for-one\"\n"
                             "shutdown-ms = 700\n"
                             "children = [\"db\", \"api\"]\n"
                             "[[schedule]]\n"
                             "cron = \"@daily\"\n"
                             "component = \"worker\"\n"
                             "[[schedule]]\n"
                             "every = \"30s\"\n"
                             "component = \"worker\"\n"
                             "overlap = \"allow\"\n";

static void assert_parts(enum manifest_form form, const char *const *parts, size_t count)
{
    struct problems problems = {0};
    struct bytes text = {0};
    struct manifest *manifest = fake_load(ACTORS, NULL, &problems);

    assert_non_null(manifest);
    assert_true(manifest_print(manifest, form, &text));
    assert_true(bytes_terminate(&text));
    for (size_t i = 0; i < count; i++) {
        if (strstr((char *)text.data, parts[i]) == NULL) {
            fail_msg("%s\nis not in\n%s", parts[i], (char *)text.data);
        }
    }
    manifest_destroy(manifest);
    problems_fini(&problems);
    bytes_fini(&text);
}

static void services_supervisors_and_schedules_are_shown_with_what_they_inherit(void **state)
{
    (void)state;
    static const char *const TABLE[] = {
        "  restart                permanent                       default\n"
        "  shutdown-ms            killed without being asked      mote.toml:5\n"
        "  start-timeout-ms       10000                           default\n",
        "  restart                transient                       mote.toml:9\n"
        "  shutdown-ms            700                             mote.toml:14\n",
        "  allow-spawn            worker                          mote.toml:2\n",
        "  template               false                           default\n"
        "  resident               false                           default\n"
        "  max-memory-mb          64                              default\n",
        "[[supervisor]] shop\n"
        "  name                   shop                            mote.toml:12\n"
        "  strategy               rest-for-one                    mote.toml:13\n"
        "  max-restarts           3                               default\n"
        "  window-ms              5000                            default\n"
        "  start-timeout-ms       10000                           default\n"
        "  shutdown-ms            700                             mote.toml:14\n"
        "  children               db api                          mote.toml:15\n",
        "[[schedule]] 1\n"
        "  every-ms               not at an interval              default\n"
        "  cron                   @daily                          mote.toml:17\n"
        "  component              worker                          mote.toml:18\n"
        "  entry                  the component's default         default\n"
        "  overlap                skip                            default\n",
        "[[schedule]] 2\n"
        "  every-ms               30000                           mote.toml:20\n",
    };
    static const char *const JSON[] = {
        "\"allow-spawn\":{\"all\":false,\"names\":[\"worker\"],\"source\":\"mote.toml:2\"}",
        "\"shutdown-ms\":{\"value\":700,\"source\":\"mote.toml:14\"},\"parent\":null,",
        "\"children\":[\"db\",\"api\"]}]",
        "\"overlap\":{\"value\":\"allow\",\"source\":\"mote.toml:22\"}}]",
    };
    assert_parts(MANIFEST_TEXT, TABLE, ARRAY_LENGTH(TABLE));
    assert_parts(MANIFEST_JSON, JSON, ARRAY_LENGTH(JSON));
}

static void no_form_shows_a_secret(void **state)
{
    (void)state;
    for (int form = MANIFEST_TEXT; form <= MANIFEST_JSON; form++) {
        char *text = printed((enum manifest_form)form);
        assert_null(strstr(text, "s3cret"));
        assert_null(strchr(text, '\x1b'));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_shows_every_setting_with_its_source),
        cmocka_unit_test(json_says_the_same_to_programs),
        cmocka_unit_test(services_supervisors_and_schedules_are_shown_with_what_they_inherit),
        cmocka_unit_test(no_form_shows_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
