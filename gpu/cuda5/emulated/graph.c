/* Graphs: nodes of work with dependencies, and what cuGraphInstantiate makes of them. A plan is shared by the launches in
 * flight; its nodes run one after another, each after those that it depends on. */
#include "emu.h"
#include <stdlib.h>
#include <string.h>

/* ---- nodes ------------------------------------------------------------------------------------------------------ */
/* A copy of work that may outlive it. args: where a launch's parameters go; NULL and false where there is no memory. */
static bool copy_work(struct work *to, uint64_t **args, const struct work *from)
{
	*to = *from;
	*args = NULL;
	memset(&to->plan, 0, sizeof to->plan); /* faults are decided each time it runs */
	if (from->kind == WORK_LAUNCH && from->launch.kernel->nargs) {
		size_t n = (size_t)from->launch.kernel->nargs * sizeof **args;
		if (!(*args = malloc(n)))
			return false;
		memcpy(*args, from->launch.args, n);
		to->launch.args = *args;
	}
	return true;
}

/* A second owner of what the work holds. */
static void hold(const struct work *w)
{
	if (w->kind == WORK_RECORD || w->kind == WORK_WAIT_IPC)
		emu_ref(w->event.event);
	else if (w->kind == WORK_GRAPH)
		atomic_fetch_add(&w->graph.plan->refs, 1);
}

void emu_node_cleanup(void *object)
{
	struct node *n = object;
	emu_work_drop(n->head.drv, &n->work);
	free(n->args);
	free(n->deps);
}

/* Adds a node behind deps, all of the same graph. The node owns what w holds from then on; NULL: no memory, and w is
 * still the caller's. */
struct node *emu_graph_add(struct graph *g, const struct work *w, struct node *const *deps, int ndeps)
{
	struct driver *drv = g->head.drv;
	if (g->n == g->cap) {
		int cap = g->cap ? 2 * g->cap : 16;
		void *more = realloc(g->node, (size_t)cap * sizeof *g->node);
		if (!more)
			return NULL;
		g->node = more;
		g->cap = cap;
	}
	struct node *n = emu_pool_get(&drv->nodes, drv, g->head.ctx);
	if (!n)
		return NULL;
	n->deps = malloc((size_t)(ndeps ? ndeps : 1) * sizeof *n->deps);
	if (!n->deps || !copy_work(&n->work, &n->args, w)) {
		n->work.kind = WORK_NONE; /* holds nothing */
		emu_unref(&drv->nodes, n);
		return NULL;
	}
	if (ndeps)
		memcpy(n->deps, deps, (size_t)ndeps * sizeof *n->deps);
	n->ndeps = ndeps;
	n->graph = g;
	n->index = g->n;
	g->node[g->n++] = n;
	emu_pool_publish(n);
	return n;
}

/* ---- graphs ----------------------------------------------------------------------------------------------------- */
/* Not a handle yet: emu_pool_publish makes it one. */
struct graph *emu_graph_new(struct driver *drv, struct context *ctx)
{
	return emu_pool_get(&drv->graphs, drv, ctx);
}

void emu_graph_cleanup(void *object)
{
	struct graph *g = object;
	for (int i = 0; i < g->n; i++) {
		emu_pool_kill(&g->head.drv->nodes, g->node[i]);
		emu_unref(&g->head.drv->nodes, g->node[i]);
	}
	free(g->node);
}

/* A graph that was never a handle, or is none any more. */
void emu_graph_free(struct graph *g) { emu_unref(&g->head.drv->graphs, g); }

static struct graph *graph_of(struct driver *drv, CUgraph handle)
{
	return emu_pool_live(&drv->graphs, handle) ? (struct graph *)handle : NULL;
}

API(cuGraphCreate)(CUgraph *out, unsigned int flags)
{
	ENTER(cuGraphCreate);
	struct context *ctx = NULL;
	if (!out || flags)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_current(t, &ctx));
	struct graph *g = emu_graph_new(drv, ctx);
	if (!g)
		return CUDA_ERROR_OUT_OF_MEMORY;
	emu_pool_publish(g);
	*out = (CUgraph)g;
	return CUDA_SUCCESS;
}

API(cuGraphDestroy)(CUgraph handle)
{
	ENTER(cuGraphDestroy);
	if (!emu_pool_kill(&drv->graphs, handle))
		return CUDA_ERROR_INVALID_VALUE;
	emu_graph_free((struct graph *)handle);
	return CUDA_SUCCESS;
}

/* nodes NULL: how many there are; else fills at most *count, the rest with NULL. */
API(cuGraphGetNodes)(CUgraph handle, CUgraphNode *nodes, size_t *count)
{
	ENTER(cuGraphGetNodes);
	struct graph *g = graph_of(drv, handle);
	if (!g || !count)
		return CUDA_ERROR_INVALID_VALUE;
	size_t n = (size_t)g->n;
	for (size_t i = 0; nodes && i < *count; i++)
		nodes[i] = i < n ? (CUgraphNode)g->node[i] : NULL;
	if (!nodes || *count > n)
		*count = n;
	return CUDA_SUCCESS;
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */
void emu_plan_unref(struct plan *p)
{
	if (atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	for (int i = 0; i < p->n; i++) {
		emu_work_drop(p->drv, &p->node[i].work);
		free(p->node[i].args);
		free(p->node[i].deps);
	}
	free(p->node);
	pthread_mutex_destroy(&p->running);
	free(p);
}

static struct plan *plan_new(struct graph *g)
{
	struct plan *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	atomic_store(&p->refs, 1);
	pthread_mutex_init(&p->running, NULL);
	p->drv = g->head.drv;
	p->ctx = g->head.ctx;
	p->node = calloc((size_t)(g->n ? g->n : 1), sizeof *p->node);
	for (int i = 0; p->node && i < g->n; i++) {
		struct planned_node *to = &p->node[i];
		const struct node *from = g->node[i];
		to->deps = malloc((size_t)(from->ndeps ? from->ndeps : 1) * sizeof *to->deps);
		if (!to->deps || !copy_work(&to->work, &to->args, &from->work)) {
			free(to->deps);
			emu_plan_unref(p);
			return NULL;
		}
		hold(&to->work);
		for (int k = 0; k < from->ndeps; k++)
			to->deps[to->ndeps++] = from->deps[k]->index;
		p->n++;
	}
	if (!p->node) {
		emu_plan_unref(p);
		return NULL;
	}
	return p;
}

/* Runs the nodes in the order in which they were added, dependencies first. Two launches of one graph never run at the
 * same time. The first error ends the run. */
int emu_plan_run(struct context *c, struct plan *p)
{
	int e = 0;
	pthread_mutex_lock(&p->running);
	for (int i = 0; i < p->n && !e; i++) {
		struct work w = p->node[i].work;
		e = (int)emu_plan(p->drv, NULL, &w);
		if (e)
			break;
		emu_stall(c, &w.plan);
		e = w.plan.fail ? w.plan.fail : emu_work_run(c, &w);
		if (w.plan.lose)
			emu_device_lose(p->drv, c->dev);
	}
	pthread_mutex_unlock(&p->running);
	return e;
}

/* ---- executable graphs ------------------------------------------------------------------------------------------ */
void emu_exec_cleanup(void *object)
{
	struct exec *x = object;
	if (x->plan)
		emu_plan_unref(x->plan);
}

static CUresult instantiate(struct driver *drv, CUgraphExec *out, CUgraph handle)
{
	struct graph *g = graph_of(drv, handle);
	if (!out || !g)
		return CUDA_ERROR_INVALID_VALUE;
	struct exec *x = emu_pool_get(&drv->execs, drv, g->head.ctx);
	if (!x)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (!(x->plan = plan_new(g))) {
		emu_unref(&drv->execs, x);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	emu_pool_publish(x);
	*out = (CUgraphExec)x;
	return CUDA_SUCCESS;
}

API(cuGraphInstantiate_v2)(CUgraphExec *out, CUgraph graph, CUgraphNode *bad, char *log, size_t size)
{
	ENTER(cuGraphInstantiate_v2);
	if (bad)
		*bad = NULL;
	if (log && size)
		*log = 0;
	return instantiate(drv, out, graph);
}

API(cuGraphInstantiateWithFlags)(CUgraphExec *out, CUgraph graph, unsigned long long flags)
{
	ENTER(cuGraphInstantiateWithFlags);
	enum { AUTO_FREE = 1, UPLOAD = 2, NODE_PRIORITY = 8 }; /* without effect here; 4, launch by a kernel, cannot be */
	if (flags & ~(unsigned long long)(AUTO_FREE | UPLOAD | NODE_PRIORITY))
		return CUDA_ERROR_INVALID_VALUE;
	return instantiate(drv, out, graph);
}

API(cuGraphExecDestroy)(CUgraphExec handle)
{
	ENTER(cuGraphExecDestroy);
	if (!emu_pool_kill(&drv->execs, handle))
		return CUDA_ERROR_INVALID_VALUE;
	emu_unref(&drv->execs, handle);
	return CUDA_SUCCESS;
}

/* The plan of a live executable graph, referenced; drv->lock orders it against cuGraphExecUpdate. */
static struct plan *plan_of(struct driver *drv, CUgraphExec handle)
{
	if (!emu_pool_live(&drv->execs, handle))
		return NULL;
	pthread_mutex_lock(&drv->lock);
	struct plan *p = ((struct exec *)handle)->plan;
	atomic_fetch_add(&p->refs, 1);
	pthread_mutex_unlock(&drv->lock);
	return p;
}

API(cuGraphLaunch)(CUgraphExec handle, CUstream stream)
{
	ENTER_CTX(cuGraphLaunch);
	struct plan *p = plan_of(drv, handle);
	if (!p)
		return CUDA_ERROR_INVALID_VALUE;
	struct work w = { .kind = WORK_GRAPH, .graph = { .plan = p } };
	return emu_submit(t, ctx, stream, &w, false);
}

API(cuGraphUpload)(CUgraphExec handle, CUstream stream)
{
	ENTER_CTX(cuGraphUpload);
	if (!emu_pool_live(&drv->execs, handle))
		return CUDA_ERROR_INVALID_VALUE;
	struct work w = { .kind = WORK_NONE };
	return emu_submit(t, ctx, stream, &w, false);
}

/* ---- update ----------------------------------------------------------------------------------------------------- */
/* What keeps a plan from being replaced by another: nothing, or the index of the first node in *node. */
static int compare(const struct plan *old, const struct plan *new, int *node)
{
	*node = -1;
	if (old->n != new->n)
		return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
	for (int i = 0; i < old->n; i++) {
		*node = i;
		if (old->node[i].work.kind != new->node[i].work.kind)
			return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
		if (old->node[i].ndeps != new->node[i].ndeps ||
		    memcmp(old->node[i].deps, new->node[i].deps, (size_t)old->node[i].ndeps * sizeof(int)))
			return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
	}
	return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

/* Launches in flight keep the plan that they were given. */
static CUresult update(struct driver *drv, CUgraphExec handle, CUgraph graph, int *result, CUgraphNode *bad)
{
	struct graph *g = graph_of(drv, graph);
	if (!g || !emu_pool_live(&drv->execs, handle))
		return CUDA_ERROR_INVALID_VALUE;
	struct plan *p = plan_new(g);
	if (!p)
		return CUDA_ERROR_OUT_OF_MEMORY;
	struct exec *x = (struct exec *)handle;
	int node;
	pthread_mutex_lock(&drv->lock);
	*result = compare(x->plan, p, &node);
	if (*result == CU_GRAPH_EXEC_UPDATE_SUCCESS) {
		struct plan *was = x->plan;
		x->plan = p;
		p = was;
	}
	pthread_mutex_unlock(&drv->lock);
	emu_plan_unref(p);
	if (*result == CU_GRAPH_EXEC_UPDATE_SUCCESS)
		return CUDA_SUCCESS;
	*bad = node >= 0 ? (CUgraphNode)g->node[node] : NULL;
	return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
}

API(cuGraphExecUpdate)(CUgraphExec handle, CUgraph graph, CUgraphNode *bad, int *result)
{
	ENTER(cuGraphExecUpdate);
	CUgraphNode node = NULL;
	int r = 1; /* an error of no kind below */
	CUresult e = update(drv, handle, graph, &r, &node);
	if (bad)
		*bad = node;
	if (result)
		*result = r;
	return e;
}

API(cuGraphExecUpdate_v2)(CUgraphExec handle, CUgraph graph, CUgraphExecUpdateResultInfo *info)
{
	ENTER(cuGraphExecUpdate_v2);
	CUgraphNode node = NULL;
	int r = 1;
	CUresult e = update(drv, handle, graph, &r, &node);
	if (info)
		*info = (CUgraphExecUpdateResultInfo){ .result = r, .errorNode = node };
	return e;
}

/* ---- the end of a context --------------------------------------------------------------------------------------- */
void emu_graphs_end(struct context *c)
{
	struct driver *drv = c->head.drv;
	struct pool *pools[] = { &drv->graphs, &drv->execs };
	for (int i = 0; i < 2; i++) {
		size_t cursor = 0;
		struct object *o;
		while ((o = emu_pool_next(pools[i], &cursor))) {
			if (o->ctx == c && emu_pool_kill(pools[i], o))
				emu_unref(pools[i], o);
			emu_unref(pools[i], o);
		}
	}
}
