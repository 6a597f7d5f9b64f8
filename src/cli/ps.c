#include "cli/client.h"
#include "cli/command.h"

int command_ps(int argc, char **argv)
{
    return client_print(argc, argv,
                        "usage: mote ps [--node NAME] [--json]\n\n"
                        "Lists the processes of a running node.",
                        "/v1/processes");
}
