// Lets poll.go declare functions whose bodies are in the Go runtime.
