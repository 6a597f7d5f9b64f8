#!/usr/bin/env escript
%% Runs the programs of this folder as Erlang processes and prints what each has received: see README.md.
%%
%%   run.escript REPEATS PROGRAM...
-module(run).
-mode(compile).
-export([main/1, init/1, start_child/2, start_super/2]).

main([Repeats | Files]) ->
    logger:set_primary_config(level, none),
    ets:new(names, [public, set, named_table]),
    ets:new(trace, [public, ordered_set, named_table]),
    lists:foreach(
      fun(File) ->
          Program = parse(File),
          [run(File, Program) || _ <- lists:seq(1, list_to_integer(Repeats))]
      end, Files).

%% -- The text form: actors with their lines, supervisors with their children.

parse(File) ->
    {ok, Text} = file:read_file(File),
    Lines = [string:lexemes(hd(string:split(Line, "#")), " \t")
             || Line <- string:split(binary_to_list(Text), "\n", all)],
    parse([Line || Line <- Lines, Line =/= []], none, #{quiet => 0}).

parse([], _, Program) ->
    Program;
parse([["actor", Name] | Lines], _, Program) ->
    parse(Lines, Name, Program#{{actor, Name} => [], {refuse, Name} => []});
parse([["supervisor", Name, Strategy, Restarts, WindowMs | Children] | Lines], _, Program) ->
    Spec = {list_to_atom(Strategy), list_to_integer(Restarts), list_to_integer(WindowMs),
            [string:split(Child, ":", all) || Child <- Children]},
    parse(Lines, none, Program#{{super, Name} => Spec});
parse([["quiet", Ms] | Lines], Actor, Program) ->
    parse(Lines, Actor, Program#{quiet => list_to_integer(Ms)});
parse([["refuse" | Starts] | Lines], Actor, Program) ->
    parse(Lines, Actor, Program#{{refuse, Actor} => [list_to_integer(N) || N <- Starts]});
parse([Line | Lines], Actor, Program) ->
    #{{actor, Actor} := Before} = Program,
    parse(Lines, Actor, Program#{{actor, Actor} := Before ++ [Line]}).

%% -- One run: until nothing moves.

run(File, Program) ->
    ets:delete_all_objects(names),
    ets:delete_all_objects(trace),
    ets:insert(names, {program, Program}),
    Pid = spawn(fun() -> begin_actor("main", none) end),
    bind("main", Pid),
    let_begin(Pid),
    settle(maps:get(quiet, Program)),
    io:format("run ~s~n", [filename:basename(File)]),
    [io:format("~s\t~s\t~s~n", [Row, Sender, What]) || {_, Row, Sender, What} <- ets:tab2list(trace)],
    end_all(Program).

%% Supervisors first; again, because they may have started somebody meanwhile.
end_all(Program) ->
    Left = [{not maps:is_key({super, Name}, Program), P}
            || {{pid, P}, Name} <- ets:tab2list(names), is_process_alive(P)],
    [begin
         Reference = monitor(process, P),
         exit(P, kill),
         receive {'DOWN', Reference, process, P, _} -> ok end
     end || {_, P} <- lists:sort(Left)],
    case Left of
        [] -> ok;
        _ -> end_all(Program)
    end.

%% Looks until nobody has done anything between two looks, `QuietMs` long.
settle(QuietMs) ->
    settle(snapshot(), QuietMs, erlang:monotonic_time(millisecond)).

settle(Before, QuietMs, Since) ->
    receive after 10 -> ok end,
    Now = erlang:monotonic_time(millisecond),
    case snapshot() of
        {waiting, _} = Before when Now - Since > QuietMs -> ok;
        {waiting, _} = Before -> settle(Before, QuietMs, Since);
        After -> settle(After, QuietMs, Now)
    end.

snapshot() ->
    Infos = [{P, process_info(P, [status, message_queue_len, reductions])}
             || {{pid, P}, _} <- lists:sort(ets:tab2list(names))],
    Busy = [P || {P, [{status, Status} | _]} <- Infos, Status =/= waiting],
    {case Busy of [] -> waiting; _ -> busy end, {Infos, ets:info(trace, size)}}.

%% At once, also in the order of causes: rows of one process may be written by others.
trace(Row, Sender, What) ->
    ets:insert(trace, {ets:update_counter(names, clock, 1, {clock, 0}), Row, Sender, What}).

bind(Name, Pid) ->
    ets:insert(names, [{{pid, Pid}, Name}, {{name, Name}, Pid}]).

pid("self") ->
    self();
pid(Name) ->
    ets:lookup_element(names, {name, Name}, 2).

name(Pid) ->
    ets:lookup_element(names, {pid, Pid}, 2).

%% -- Actors.

begin_actor(Name, Super) ->
    receive {go, Starter} -> ok end,
    put(name, Name),
    put(super, Super),
    put(number, ets:update_counter(names, {starts, Name}, 0, {{starts, Name}, 0})),
    #{{actor, Name} := Lines} = ets:lookup_element(names, program, 2),
    %% Who begins with `trap` is asked to stop by its supervisor only after that.
    [act(["trap"]) || ["trap"] <- lists:sublist(Lines, 1)],
    Starter ! {started, self()},
    lists:foreach(fun act/1, Lines).

let_begin(Pid) ->
    Pid ! {go, self()},
    receive {started, Pid} -> ok end.

count_start(Name) ->
    ets:update_counter(names, {starts, Name}, 1, {{starts, Name}, 0}).

act(["times", Times | Line]) ->
    case get(number) =< list_to_integer(Times) of
        true -> act(Line);
        false -> ok
    end;
act(["spawn", Name | Options]) ->
    count_start(Name),
    Started = spawn_opt(fun() -> begin_actor(Name, none) end, [list_to_atom(O) || O <- Options]),
    Pid = case Started of
              {P, Reference} -> put({monitor, Name}, Reference), P;
              P -> P
          end,
    bind(Name, Pid),
    let_begin(Pid);
act(["link", Name]) ->
    link(pid(Name));
act(["unlink", Name]) ->
    %% With what OTP's manual advises to do behind it, and mote does by itself.
    Pid = pid(Name),
    unlink(Pid),
    receive {'EXIT', Pid, _} -> ok after 0 -> ok end;
act(["monitor", Name]) ->
    put({monitor, Name}, monitor(process, pid(Name)));
act(["demonitor", Name]) ->
    demonitor(get({monitor, Name}), [flush]);
act(["trap"]) ->
    process_flag(trap_exit, true);
act(["untrap"]) ->
    process_flag(trap_exit, false);
act(["exit", Reason]) ->
    exit(list_to_atom(Reason));
act(["signal", Name, Reason]) ->
    exit(pid(Name), list_to_atom(Reason));
act(["send", Name, Text]) ->
    pid(Name) ! {msg, get(name), Text};
act(["receive", Kind]) ->
    take(Kind);
act(["await", Name]) ->
    Reference = monitor(process, pid(Name)),
    receive {'DOWN', Reference, process, _, _} -> ok end;
act(["stubborn"]) ->
    put(stubborn, true);
act(["listen"]) ->
    take("any"),
    act(["listen"]);
act(["hold"]) ->
    receive never -> ok end;
act(["start", Name]) ->
    {ok, _} = supervisor:start_link(?MODULE, Name);
act(["stop", Name]) ->
    exit(pid(Name), shutdown).

take(Kind) ->
    receive
        {msg, From, Text} when Kind =:= "msg"; Kind =:= "any" ->
            trace(get(name), From, "msg " ++ Text);
        {'EXIT', Pid, Reason} when Kind =:= "exit"; Kind =:= "any" ->
            took_exit(Pid, reason(Reason));
        {'DOWN', _, process, Pid, Reason} when Kind =:= "down"; Kind =:= "any" ->
            trace(get(name), name(Pid), "down " ++ reason(Reason))
    end.

took_exit(Pid, Reason) ->
    Super = get(super),
    case name(Pid) of
        Super ->
            trace(Super, Super, "stop " ++ get(name)),
            case get(stubborn) of
                true -> ok;
                undefined -> exit(shutdown)
            end;
        Name ->
            trace(get(name), Name, "exit " ++ Reason)
    end.

%% A tuple with detail is its word: {shutdown, _}, {noproc, Stack}.
reason(Reason) when is_atom(Reason) ->
    atom_to_list(Reason);
reason(Reason) when is_tuple(Reason) ->
    reason(element(1, Reason)).

%% -- Supervisors.

init(Name) ->
    bind(Name, self()),
    Program = ets:lookup_element(names, program, 2),
    #{{super, Name} := {Strategy, Restarts, WindowMs, Children}} = Program,
    {ok, {#{strategy => Strategy, intensity => Restarts, period => WindowMs div 1000},
          [child(Program, Name, Child) || Child <- Children]}}.

child(Program, Super, [Name | Options]) ->
    IsSuper = maps:is_key({super, Name}, Program),
    Restart = case Options of [] -> "permanent"; [R | _] -> R end,
    Shutdown = case Options of [_, S] -> S; _ -> "5000" end,
    #{id => Name,
      start => {?MODULE, case IsSuper of true -> start_super; false -> start_child end, [Super, Name]},
      restart => list_to_atom(Restart),
      shutdown => case {IsSuper, Shutdown} of
                      {true, _} -> infinity;
                      {false, "kill"} -> brutal_kill;
                      {false, Ms} -> list_to_integer(Ms)
                  end,
      type => case IsSuper of true -> supervisor; false -> worker end}.

start_child(Super, Name) ->
    #{{refuse, Name} := Refused} = ets:lookup_element(names, program, 2),
    case lists:member(count_start(Name), Refused) of
        true ->
            trace(Super, Super, "refuse " ++ Name),
            {error, refused};
        false ->
            trace(Super, Super, "start " ++ Name),
            Pid = spawn_link(fun() -> begin_actor(Name, Super) end),
            bind(Name, Pid),
            let_begin(Pid),
            {ok, Pid}
    end.

start_super(Super, Name) ->
    trace(Super, Super, "start " ++ Name),
    supervisor:start_link(?MODULE, Name).
