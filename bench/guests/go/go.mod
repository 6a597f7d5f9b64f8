module mote/bench/guests/go

go 1.24

require mote.dev/mote v0.0.0

replace mote.dev/mote => ./.mote/go
