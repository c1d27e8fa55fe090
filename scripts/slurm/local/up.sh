#!/usr/bin/env bash
# Starts a private Slurm for tests: munged, slurmctld and NODES slurmd with four fake GPUs each, on this host's loopback,
# with all that they write under DIR. After it:  export SLURM_CONF=DIR/slurm.conf;  to stop it:  down.sh DIR
#   scripts/slurm/local/up.sh DIR [NODES (2)] [PORT (19100: PORT to PORT+NODES are used)]
# The nodes are n1, n2, …: each has its host name, which it alone resolves; files, processes and the loopback are common to
# all. Root alone can start it.
set -euo pipefail
die() { printf 'slurm: %s\n' "$*" >&2; exit 1; }
[ $# -ge 1 ] || die "usage: up.sh DIR [NODES] [PORT]"
mkdir -p "$1"
dir=$(cd "$1" && pwd -P) nodes=${2:-2} port=${3:-19100}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=$PATH:/usr/sbin:/sbin
for program in munged slurmctld slurmd sinfo; do
	command -v $program >/dev/null || die "$program is missing: run scripts/slurm/local/install.sh"
done
socket=$dir/munge.socket
[ ${#socket} -lt 100 ] || die "$dir is too long a path for a socket in it: give a shorter one"
[ ! -e "$dir/pid" ] || die "$dir has a Slurm already: stop it with down.sh $dir"
unset "${!SLURM_@}"
export SLURM_CONF=$dir/slurm.conf
chmod 755 "$dir"
mkdir -p "$dir"/{log,pid,state}
# A start that fails leaves no daemon; the logs stay.
trap '[ $? = 0 ] || "$here/down.sh" "$dir"' EXIT

# start NAME COMMAND…: in the background, its process id in DIR/pid/NAME.
start() {
	local name=$1
	shift
	"$@" >"$dir/log/$name.out" 2>&1 </dev/null &
	echo $! >"$dir/pid/$name"
}
# await SECONDS COMMAND…: until the command succeeds; fails too when a daemon has ended.
await() {
	local until=$((SECONDS + $1)) f
	shift
	until "$@" >/dev/null 2>&1; do
		for f in "$dir"/pid/*; do
			kill -0 "$(cat "$f")" 2>/dev/null || { tail -n 5 "$dir/log/${f##*/}.out" >&2; die "${f##*/} ended; its log is in $dir/log"; }
		done
		[ $SECONDS -lt "$until" ] || die "no answer to: $*; the logs are in $dir/log"
		sleep 0.05
	done
}

# An authentication service with a key of its own: the host's, if any, is left alone.
(umask 077 && head -c 128 /dev/urandom >"$dir/munge.key")
start munged munged --foreground --force --num-threads=2 --key-file="$dir/munge.key" --socket="$socket" \
	--pid-file="$dir/munge.pid" --log-file="$dir/log/munged.log" --seed-file="$dir/munge.seed"
await 10 munge -n -S "$socket"

# MinJobAge keeps finished jobs for squeue and scontrol, as there is no accounting. EnforcePartLimits refuses jobs that
# could only wait for ever. A job that is queued again waits for cred_expire. TmpFS per node: else the nodes' PMIx servers
# meet in one folder. TaskProlog gives each node GPUs of its own, as seen by the emulated driver.
host=$(hostname -s)
cat >"$dir/slurm.conf" <<CONF
ClusterName=local$port
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$socket,cred_expire=10
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
TmpFS=$dir/tmp/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog=$dir/prolog
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
SchedulerParameters=bf_interval=1,sched_min_interval=100000,sched_interval=1,batch_sched_delay=0
PriorityType=priority/basic
EnforcePartLimits=ALL
ReturnToService=2
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MinJobAge=3600
KillWait=5
SlurmctldTimeout=10
SlurmdTimeout=60
TCPTimeout=5
MailProg=/bin/true
NodeName=n[1-$nodes] NodeAddr=127.0.0.1 Port=$((port + 1))-$((port + nodes)) CPUs=8 Sockets=2 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=4096 Gres=gpu:h100:4 State=UNKNOWN
PartitionName=batch Nodes=n[1-$nodes] Default=YES MaxTime=60 DefaultTime=5 State=UP
CONF
cat >"$dir/prolog" <<'PROLOG'
#!/bin/sh
echo "export GPUBENCH_EMU_NODE=$SLURMD_NODENAME"
PROLOG
chmod +x "$dir/prolog"
# A GPU is counted only with a device file that exists; nothing opens it, as no cgroup confines the tasks.
for file in /dev/null /dev/zero /dev/full /dev/random; do
	echo "Name=gpu Type=h100 File=$file"
done >"$dir/gres.conf"

start slurmctld slurmctld -D -c
# Each node's host has the node's name: PMIx looks for a task's neighbours under the host's name, and an MPI that finds none
# there takes TCP between the ranks of one node.
for n in $(seq "$nodes"); do
	printf '127.0.0.1 localhost %s n%s\n' "$host" "$n" >"$dir/hosts-n$n"
	mkdir -p "$dir/spool/n$n" "$dir/tmp/n$n"
	# shellcheck disable=SC2016 # for the inner shell
	start "slurmd-n$n" unshare --uts --mount sh -c \
		'hostname "$1" && mount --bind "$2" /etc/hosts && exec slurmd -D -N "$1"' sh "n$n" "$dir/hosts-n$n"
done
all_idle() { [ "$(timeout 5 sinfo -h -N -t idle -o %N | wc -l)" = "$nodes" ]; }
await 30 all_idle
echo "SLURM_CONF=$SLURM_CONF"
