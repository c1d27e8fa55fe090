// Package signals keeps Go's signal handlers where they are while C libraries start. UCX, MPI and PMIx install their
// own, which would turn a nil dereference in Go into the end of the process.
package signals

/*
#define _GNU_SOURCE
#include <signal.h>

typedef struct { struct sigaction of[NSIG]; } gb_handlers;

static void gb_save(gb_handlers *h)
{
	for (int s = 1; s < NSIG; s++) sigaction(s, NULL, &h->of[s]);
}

static int gb_restore(const gb_handlers *h)
{
	int changed = 0;
	for (int s = 1; s < NSIG; s++) {
		struct sigaction now;
		// 32 and 33 are the C library's own and cannot be asked for.
		if (sigaction(s, NULL, &now) != 0) continue;
		if (now.sa_sigaction == h->of[s].sa_sigaction && now.sa_flags == h->of[s].sa_flags) continue;
		if (sigaction(s, &h->of[s], NULL) == 0) changed++;
	}
	return changed;
}

// For the test: a handler as a library installs one.
static void gb_other(int s) { (void)s; }
static void gb_take(int s) { signal(s, gb_other); }
*/
import "C"

import "syscall"

// Keep calls f and puts back each signal's handler and flags as they were before; it returns how many f had changed.
// What asks for signals through os/signal meanwhile would be undone too.
func Keep(f func()) (changed int) {
	var before C.gb_handlers
	C.gb_save(&before)
	defer func() { changed = int(C.gb_restore(&before)) }()
	f()
	return 0
}

// take has C handle a signal.
func take(s syscall.Signal) { C.gb_take(C.int(s)) }
