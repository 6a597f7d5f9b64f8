module mote/bench/peers/hello

go 1.19
