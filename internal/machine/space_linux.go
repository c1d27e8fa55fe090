package machine

import "syscall"

// spaceOf asks how much room the file system of a path has.
func spaceOf(path string) *Space {
	var st syscall.Statfs_t
	if syscall.Statfs(path, &st) != nil {
		return nil
	}
	return &Space{TotalBytes: int64(st.Blocks) * st.Bsize, FreeBytes: int64(st.Bavail) * st.Bsize}
}
