// The share of CPU time that control groups grant.

package machine

import (
	"path"
	"strings"
)

// cpuQuota returns the least quota of the process's control group and those above it, in CPUs; nil where none limits.
// Both versions of control groups are read; a container that sees its own group as the root is covered, since the walk
// ends there.
func (r reader) cpuQuota() *float64 {
	var least *float64
	r.fields("proc/self/cgroup", ":", func(id, rest string) { // "0::/a/b" or "4:cpu,cpuacct:/a/b"
		controllers, group, ok := strings.Cut(rest, ":")
		if !ok {
			return
		}
		read, mount := r.quotaV2, "sys/fs/cgroup"
		if id != "0" {
			if !strings.Contains(","+controllers+",", ",cpu,") {
				return
			}
			read, mount = r.quotaV1, "sys/fs/cgroup/"+controllers
		}
		for group = path.Clean("/" + group); ; group = path.Dir(group) {
			if q := read(path.Join(mount, group)); q != nil && (least == nil || *q < *least) {
				least = q
			}
			if group == "/" {
				return
			}
		}
	})
	return least
}

// quotaV2 reads cpu.max: "max 100000" or "150000 100000", microseconds of time in a period.
func (r reader) quotaV2(dir string) *float64 {
	s := r.text(path.Join(dir, "cpu.max"))
	if s == nil {
		return nil
	}
	quota, period, _ := strings.Cut(*s, " ")
	return ratio(parseInt(quota), parseInt(period))
}

// quotaV1 reads two files; -1 is no limit.
func (r reader) quotaV1(dir string) *float64 {
	return ratio(r.number(path.Join(dir, "cpu.cfs_quota_us")), r.number(path.Join(dir, "cpu.cfs_period_us")))
}

func ratio(quota, period *int64) *float64 {
	if quota == nil || period == nil || *quota <= 0 || *period <= 0 {
		return nil
	}
	v := float64(*quota) / float64(*period)
	return &v
}
