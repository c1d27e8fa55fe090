/* Loading a shim, and keeping Go's signal handlers where they are. */
#define _GNU_SOURCE
#include "world.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

const gb_mpi_table *gb_table;
gb_mpi *gb_world;

int gb_load(const char *path, char *text, int n)
{
	/* RTLD_GLOBAL: MPI libraries open components of their own that expect MPI's symbols to be there. */
	void *h = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (!h) {
		snprintf(text, (size_t)n, "%s", dlerror());
		return 1;
	}
	gb_mpi_entry entry = (gb_mpi_entry)dlsym(h, GB_MPI_ENTRY);
	if (!entry) return 2;
	const gb_mpi_table *t = entry(GB_MPI_ABI);
	if (!t || t->abi != GB_MPI_ABI || t->size != sizeof *t) return 3;
	gb_table = t;
	return 0;
}

static struct sigaction before[NSIG];

void gb_save_signals(void)
{
	for (int s = 1; s < NSIG; s++) sigaction(s, NULL, &before[s]);
}

int gb_restore_signals(void)
{
	int changed = 0;
	for (int s = 1; s < NSIG; s++) {
		struct sigaction now;
		/* 32 and 33 are the C library's own and cannot be asked for. */
		if (sigaction(s, NULL, &now) != 0 || now.sa_sigaction == before[s].sa_sigaction) continue;
		if (sigaction(s, &before[s], NULL) == 0) changed++;
	}
	return changed;
}
