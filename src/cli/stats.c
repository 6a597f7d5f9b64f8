#include "cli/client.h"
#include "cli/command.h"

int command_stats(int argc, char **argv)
{
    return client_print(argc, argv,
                        "usage: mote stats [--node NAME] [--json]\n\n"
                        "Live counts of a running node against their limits.",
                        "/v1/stats");
}
