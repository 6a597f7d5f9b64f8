%% The rounds of actors.c as Erlang does them: reads "SIDE COUNT" lines, answers each with "0 WALL_NS COUNT". Whoever
%% started it looks at its CPU time.
-module(actors).
-export([main/0, init/1, servant_start/1, server_start/1]).
-export([handle_continue/2, handle_call/3, handle_cast/2]).

%% As many restarts as one supervisor has here: it walks through those of its window at each, so that few are its best.
-define(RESTARTS_EACH, 50).

main() ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    rounds().

rounds() ->
    case io:get_line("") of
        eof -> halt(0);
        Line ->
            [Side, Text] = string:lexemes(Line, " \n"),
            Count = list_to_integer(Text),
            From = erlang:monotonic_time(nanosecond),
            round(Side, Count),
            To = erlang:monotonic_time(nanosecond),
            io:format("0 ~b ~b~n", [To - From, Count]),
            rounds()
    end.

%% The process that reads the rounds has seen io: each round has processes of its own.
round("pong", Count) -> alone(1, fun() -> ping(1, Count) end);
round("across", Count) -> alone(1, fun() -> ping(2, Count) end);
round("spawn", Count) -> alone(1, fun() -> spawns(Count) end);
round("restart", Count) -> alone(1, fun() -> restarts(Count, {servant_start, fun ask/2, exit}) end);
round("trap", Count) -> alone(1, fun() -> restarts(Count, {servant_start, fun ask/2, error}) end);
round("server", Count) -> alone(1, fun() -> restarts(Count, {server_start, fun gen_server:call/2, exit}) end).

alone(Scheduler, Work) ->
    Pid = spawn_opt(Work, [link, {scheduler, Scheduler}]),
    receive {'EXIT', Pid, normal} -> ok end.

%% ---- messages ----

ping(Scheduler, Count) ->
    Pong = spawn_opt(fun pong/0, [{scheduler, Scheduler}]),
    ping_on(Pong, Count).

ping_on(Pong, 0) -> Pong ! done;
ping_on(Pong, Left) ->
    Pong ! {self(), <<Left:64>>},
    receive {Pong, <<Left:64>>} -> ping_on(Pong, Left - 1) end.

pong() ->
    receive
        {From, Data} -> From ! {self(), Data}, pong();
        done -> ok
    end.

%% ---- spawns ----

spawns(0) -> ok;
spawns(Left) ->
    {Pid, Reference} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Reference, process, Pid, normal} -> spawns(Left - 1) end.

%% ---- restarts ----

restarts(Count, _) when Count =< 0 -> ok;
restarts(Count, {Start, _, _} = How) ->
    process_flag(trap_exit, true),
    {ok, Supervisor} = supervisor:start_link(?MODULE, {supervisor, Start, self()}),
    restarts_on(min(Count, ?RESTARTS_EACH), How),
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, shutdown} -> ok end,
    restarts(Count - ?RESTARTS_EACH, How).

restarts_on(Left, {_, Ask, Ending} = How) ->
    receive
        {up, Servant} ->
            <<Left:64>> = Ask(Servant, <<Left:64>>),
            case Left of
                0 -> ok;
                _ -> Servant ! {'$gen_cast', Ending}, restarts_on(Left - 1, How)
            end
    end.

init({supervisor, Start, Keeper}) ->
    {ok, {#{strategy => one_for_one, intensity => ?RESTARTS_EACH, period => 1},
          [#{id => servant, start => {?MODULE, Start, [Keeper]}, shutdown => brutal_kill}]}};
init({server, Keeper}) ->
    {ok, Keeper, {continue, up}}.

%% A plain process.

servant_start(Keeper) ->
    {ok, spawn_link(fun() -> Keeper ! {up, self()}, servant() end)}.

ask(Servant, Data) ->
    Reference = make_ref(),
    Servant ! {call, self(), Reference, Data},
    receive {Reference, Answer} -> Answer end.

servant() ->
    receive
        {call, From, Reference, Data} -> From ! {Reference, Data}, servant();
        {'$gen_cast', exit} -> exit(boom);
        {'$gen_cast', error} -> error(boom)
    end.

%% One of OTP's servers.

server_start(Keeper) -> gen_server:start_link(?MODULE, {server, Keeper}, []).

handle_continue(up, Keeper) -> Keeper ! {up, self()}, {noreply, Keeper}.

handle_call(Data, _, Keeper) -> {reply, Data, Keeper}.

handle_cast(exit, _) -> exit(boom).
