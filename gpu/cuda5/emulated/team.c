/* The cpu driver's teams: threads that help the calling thread with the parts of a launch. They belong to the thread that
 * asked for them and end with it. Between phases all join; a waiting thread spins for a moment, since launches follow
 * each other closely, and then sleeps. */
#include "emu.h"
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPIN_NS = 50000, MAX_TEAM = 1024 };

struct team {
	int parts; /* members and the owner */
	bool spin;
	/* What is to be done; written by the owner while no member works. */
	gb_body body;
	const uint64_t *args;
	struct gb_launch launch;
	bool stop;
	_Alignas(64) _Atomic uint32_t turn; /* goes up when there is something to do */
	_Atomic uint32_t sleepers;
	_Alignas(64) _Atomic uint32_t done; /* members that finished this turn */
	_Atomic uint32_t owner_sleeps;
	struct member {
		struct team *team;
		uint32_t part;
		pthread_t thread;
	} member[];
};

static inline void pause_cpu(void)
{
#if defined __x86_64__
	__builtin_ia32_pause();
#elif defined __aarch64__
	__asm__ volatile("isb" ::: "memory");
#endif
}

static void futex(_Atomic uint32_t *p, int op, uint32_t v) { syscall(SYS_futex, p, op | FUTEX_PRIVATE_FLAG, v, NULL, NULL, 0); }

/* Waits until *p is no longer v; says in *sleeps while it sleeps. */
static void wait_change(_Atomic uint32_t *p, uint32_t v, _Atomic uint32_t *sleeps, bool spin)
{
	if (spin) {
		for (uint64_t end = 0;;) {
			for (int i = 0; i < 64; i++) {
				if (atomic_load_explicit(p, memory_order_acquire) != v)
					return;
				pause_cpu();
			}
			uint64_t now = emu_now_ns();
			if (!end)
				end = now + SPIN_NS;
			else if (now > end)
				break;
		}
	}
	/* Counted before the last look at *p (futex looks again), so whoever changes it either sees the sleeper or is seen. */
	atomic_fetch_add(sleeps, 1);
	while (atomic_load(p) == v)
		futex(p, FUTEX_WAIT, v);
	atomic_fetch_sub(sleeps, 1);
}

static void *member_main(void *arg)
{
	struct member *m = arg;
	struct team *t = m->team;
	for (uint32_t turn = 0;;) {
		wait_change(&t->turn, turn++, &t->sleepers, t->spin);
		if (t->stop)
			return NULL;
		struct gb_launch l = t->launch;
		l.part = m->part;
		t->body(t->args, &l);
		atomic_fetch_add(&t->done, 1);
		if (atomic_load(&t->owner_sleeps))
			futex(&t->done, FUTEX_WAKE, 1);
	}
}

static void begin_turn(struct team *t)
{
	atomic_store_explicit(&t->done, 0, memory_order_relaxed);
	atomic_fetch_add(&t->turn, 1);
	if (atomic_load(&t->sleepers))
		futex(&t->turn, FUTEX_WAKE, INT_MAX);
}

void emu_team_run(struct team *t, gb_body body, const uint64_t *args, struct gb_launch *l, int phases)
{
	uint32_t members = (uint32_t)t->parts - 1;
	l->parts = (uint32_t)t->parts;
	t->body = body;
	t->args = args;
	for (int p = 0; p < phases; p++) {
		l->phase = (uint32_t)p;
		t->launch = *l;
		begin_turn(t);
		body(args, l);
		uint32_t d;
		while ((d = atomic_load_explicit(&t->done, memory_order_acquire)) != members)
			wait_change(&t->done, d, &t->owner_sleeps, t->spin);
	}
}

void emu_team_end(struct team *t)
{
	if (!t)
		return;
	if (!atomic_load(&emu_forked)) {
		t->stop = true;
		begin_turn(t);
		for (int i = 0; i < t->parts - 1; i++)
			pthread_join(t->member[i].thread, NULL);
	}
	free(t);
}

static int cpus(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

int gpubench_emu_set_team(int n)
{
	struct thread *me = emu_thread();
	n = n < 1 ? 1 : n > MAX_TEAM ? MAX_TEAM : n;
	if (n == (me->team ? me->team->parts : 1))
		return n;
	emu_team_end(me->team);
	me->team = NULL;
	if (n == 1)
		return 1;
	size_t size = (sizeof(struct team) + (size_t)(n - 1) * sizeof(struct member) + 63) / 64 * 64;
	struct team *t = aligned_alloc(64, size);
	if (!t)
		return 1;
	memset(t, 0, size);
	t->spin = n <= cpus(); /* spinning members would keep the others from a core */
	t->parts = 1;
	for (; t->parts < n; t->parts++) {
		struct member *m = &t->member[t->parts - 1];
		m->team = t;
		m->part = (uint32_t)t->parts;
		if (!emu_spawn(&m->thread, member_main, m))
			break;
	}
	if (t->parts == 1) {
		free(t);
		return 1;
	}
	me->team = t;
	return t->parts;
}
