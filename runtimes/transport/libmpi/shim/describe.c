/* What the library says of itself: version, error codes, CUDA. */
#include "shim.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int gb_library(char *text, int n)
{
	char all[MPI_MAX_LIBRARY_VERSION_STRING];
	int len = 0;
	if (MPI_Get_library_version(all, &len) != MPI_SUCCESS) return -1;
	snprintf(text, (size_t)n, "%s", all);
	return 0;
}

static const struct {
	int class;
	const char *name;
} classes[] = {
#define CLASS(c) {c, #c}
	CLASS(MPI_ERR_BUFFER), CLASS(MPI_ERR_COUNT), CLASS(MPI_ERR_TYPE), CLASS(MPI_ERR_TAG), CLASS(MPI_ERR_COMM),
	CLASS(MPI_ERR_RANK), CLASS(MPI_ERR_REQUEST), CLASS(MPI_ERR_ROOT), CLASS(MPI_ERR_GROUP), CLASS(MPI_ERR_OP),
	CLASS(MPI_ERR_ARG), CLASS(MPI_ERR_TRUNCATE), CLASS(MPI_ERR_OTHER), CLASS(MPI_ERR_INTERN), CLASS(MPI_ERR_PENDING),
	CLASS(MPI_ERR_IN_STATUS), CLASS(MPI_ERR_NO_MEM), CLASS(MPI_ERR_UNKNOWN),
#ifdef MPI_ERR_PROC_FAILED
	CLASS(MPI_ERR_PROC_FAILED),
#endif
#ifdef MPIX_ERR_PROC_FAILED
	CLASS(MPIX_ERR_PROC_FAILED), CLASS(MPIX_ERR_PROC_FAILED_PENDING),
#endif
#undef CLASS
};

/* One line: MPICH explains over several, and repeats the class's name nowhere; Open MPI begins with it. */
int gb_explain(int code, char *class_name, int nclass, char *text, int ntext)
{
	char all[MPI_MAX_ERROR_STRING] = "";
	const char *name = "MPI_ERR_UNKNOWN";
	int class = MPI_ERR_UNKNOWN, len = 0;

	MPI_Error_class(code, &class);
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (classes[i].class == class) name = classes[i].name;
	if (class_name) snprintf(class_name, (size_t)nclass, "%s", name);
	if (text) {
		MPI_Error_string(code, all, &len);
		all[strcspn(all, "\n")] = '\0';
		char *from = all;
		if (strncmp(from, name, strlen(name)) == 0) {
			from += strlen(name);
			from += strspn(from, ": ");
		}
		char *stack = strstr(from, ", error stack:");
		if (stack) *stack = '\0';
		snprintf(text, (size_t)ntext, "%s", from);
	}
	if (class == MPI_ERR_TRUNCATE) return GB_TRUNCATED;
	if (strstr(name, "_PROC_FAILED")) return GB_PEER_DIED;
	return GB_FAILED;
}

/* A variable of MPI's tool interface, as text; empty where there is none of that name. */
static void variable(const char *name, char *text, int n)
{
	int provided, index, count, verbosity, bind, scope, nname = 0, ndesc = 0;
	MPI_Datatype type;
	MPI_T_enum all;
	MPI_T_cvar_handle h;
	char desc[2], own[2];

	text[0] = '\0';
	if (MPI_T_init_thread(MPI_THREAD_SINGLE, &provided) != MPI_SUCCESS) return;
	if (MPI_T_cvar_get_index(name, &index) == MPI_SUCCESS) {
		nname = sizeof own, ndesc = sizeof desc;
		if (MPI_T_cvar_get_info(index, own, &nname, &verbosity, &type, &all, desc, &ndesc, &bind, &scope) == MPI_SUCCESS &&
		    type == MPI_CHAR && MPI_T_cvar_handle_alloc(index, NULL, &h, &count) == MPI_SUCCESS) {
			if (count > 0 && count <= n && MPI_T_cvar_read(h, text) == MPI_SUCCESS) text[n - 1] = '\0';
			MPI_T_cvar_handle_free(&h);
		}
	}
	MPI_T_finalize();
}

int gb_cuda(char *text, int n)
{
	/* Looked up at run time: where it is declared, and whether at all, differs from library to library. */
	int (*query)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "MPIX_Query_cuda_support");
	char pml[1024];
	int at = 0, answer = query ? query() : -1;

	text[0] = '\0';
	if (query) at += snprintf(text, (size_t)n, "MPIX_Query_cuda_support() is %d", answer);
	variable("pml", pml, sizeof pml);
	if (pml[0] && at < n) snprintf(text + at, (size_t)(n - at), "%spml is %s", at ? ", " : "", pml);
	return answer;
}
