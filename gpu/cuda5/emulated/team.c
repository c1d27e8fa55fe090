/* The cpu driver's team: threads that share the parts of a launch, and wait for each other between its phases. A team
 * belongs to the thread that launches; nobody else gives it work. */
#include "emu.h"
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEAM_MOST = 1024, SPINS = 2000 }; /* spins: tens of microseconds, more than the gap between an iteration's launches */

struct helper {
	struct team *team;
	pthread_t thread;
	uint32_t part;
};
struct team {
	int helpers; /* threads beside the caller */
	_Alignas(64) _Atomic uint32_t round;    /* one more each time that there is work */
	_Atomic uint32_t sleepers;              /* helpers that wait for round in the kernel */
	_Alignas(64) _Atomic uint32_t left;     /* helpers that are not done with this round */
	_Atomic uint32_t waiting;               /* the caller waits for left in the kernel */
	_Alignas(64) gb_body body;
	const uint64_t *args;
	struct gb_launch launch;
	bool end;
	struct helper helper[];
};

static void pause_cpu(void)
{
#if defined __x86_64__ || defined __i386__
	__builtin_ia32_pause();
#elif defined __aarch64__
	__asm__ volatile("yield");
#endif
}

static void sleep_while(_Atomic uint32_t *word, uint32_t is)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, is, NULL, NULL, 0);
}

static void wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }

static void wait_round(struct team *m, uint32_t seen)
{
	for (int i = 0; i < SPINS; i++) {
		if (atomic_load_explicit(&m->round, memory_order_acquire) != seen)
			return;
		pause_cpu();
	}
	atomic_fetch_add(&m->sleepers, 1);
	while (atomic_load(&m->round) == seen)
		sleep_while(&m->round, seen);
	atomic_fetch_sub(&m->sleepers, 1);
}

static void *help(void *arg)
{
	struct helper *h = arg;
	struct team *m = h->team;
	for (uint32_t seen = 0;; seen++) {
		wait_round(m, seen);
		if (m->end)
			return NULL;
		struct gb_launch l = m->launch;
		l.part = h->part;
		m->body(m->args, &l);
		if (atomic_fetch_sub(&m->left, 1) == 1 && atomic_load(&m->waiting))
			wake(&m->left);
	}
}

static void begin_round(struct team *m)
{
	atomic_store(&m->left, (uint32_t)m->helpers);
	atomic_fetch_add(&m->round, 1);
	if (atomic_load(&m->sleepers))
		wake(&m->round);
}

static void end_round(struct team *m)
{
	uint32_t left;
	for (int i = 0; i < SPINS; i++) {
		if (!atomic_load_explicit(&m->left, memory_order_acquire))
			return;
		pause_cpu();
	}
	atomic_store(&m->waiting, 1);
	while ((left = atomic_load(&m->left)))
		sleep_while(&m->left, left);
	atomic_store(&m->waiting, 0);
}

/* Runs all phases of a launch with the calling thread's team, and returns when they are done. */
void emu_team_run(struct thread *t, gb_body body, const uint64_t *args, struct gb_launch *l, int phases)
{
	struct team *m = t->team;
	l->part = 0;
	l->parts = m ? (uint32_t)m->helpers + 1 : 1;
	for (int i = 0; i < phases; i++) {
		l->phase = (uint32_t)i;
		if (m) {
			m->body = body;
			m->args = args;
			m->launch = *l;
			begin_round(m);
		}
		body(args, l);
		if (m)
			end_round(m);
	}
}

void emu_team_end(struct team *m)
{
	if (!m)
		return;
	m->end = true;
	begin_round(m);
	for (int i = 0; i < m->helpers; i++)
		pthread_join(m->helper[i].thread, NULL);
	free(m);
}

int gpubench_emu_set_team(int n)
{
	struct thread *t = emu_thread();
	int want = n < 1 ? 0 : n > TEAM_MOST ? TEAM_MOST - 1 : n - 1;
	if ((t->team ? t->team->helpers : 0) == want)
		return want + 1;
	emu_team_end(t->team);
	t->team = NULL;
	size_t size = sizeof *t->team + (size_t)want * sizeof t->team->helper[0];
	struct team *m = want ? aligned_alloc(64, (size + 63) / 64 * 64) : NULL;
	if (!m)
		return 1;
	*m = (struct team){ 0 };
	for (int i = 0; i < want; i++, m->helpers++) {
		m->helper[i].team = m;
		m->helper[i].part = (uint32_t)i + 1;
		if (!emu_spawn(&m->helper[i].thread, help, &m->helper[i]))
			break;
	}
	if (!m->helpers) {
		free(m);
		return 1;
	}
	t->team = m;
	return m->helpers + 1;
}
