// The environment line: on what every PE ran.

package main

import (
	"encoding/json"
	"os"
	"runtime"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/supervise"
)

// environment is the content of an environment line.
type environment struct {
	Program   programInfo   `json:"program"`
	Transport transportInfo `json:"transport"`
	PEs       []peInfo      `json:"pes"`
}

type programInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
}

type transportInfo struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Library string `json:"library,omitempty"`
}

// peInfo is what one PE says of itself. Its process number is not in it: the
// same machine has the same environment in every run.
type peInfo struct {
	Rank       int       `json:"rank"`
	Host       string    `json:"host"`
	LocalRank  int       `json:"local_rank"`
	GOMAXPROCS int       `json:"gomaxprocs"`
	Driver     string    `json:"driver"`
	Device     *gpu.Info `json:"device,omitempty"`
	Machine    any       `json:"machine"`
}

// report is what a PE tells PE 0.
type peReport struct {
	PID  int    `json:"pid"`
	Info peInfo `json:"info"`
}

// ready gathers what the PEs say of themselves and reports it.
func (w *worker) ready(pe *bench.PE) error {
	host, _ := os.Hostname()
	info := w.dev.Info()
	own := peReport{PID: os.Getpid(), Info: peInfo{Rank: w.rank, Host: host, LocalRank: w.local,
		GOMAXPROCS: runtime.GOMAXPROCS(0), Driver: string(w.dev.Driver()), Device: &info, Machine: machineFacts()}}
	text, err := json.Marshal(own)
	if err != nil {
		return err
	}
	all, err := pe.Control.Gather(text)
	if err != nil {
		return err
	}
	if w.rank != 0 {
		id, err := pe.Control.Broadcast(nil)
		w.environment = string(id)
		return err
	}
	caps := pe.Endpoint.Caps()
	env := environment{Program: program(), Transport: transportInfo{Name: caps.Name, Version: caps.Version, Library: w.library}}
	var pids []int
	for _, b := range all {
		var r peReport
		if err := json.Unmarshal(b, &r); err != nil {
			return err
		}
		env.PEs = append(env.PEs, r.Info)
		if r.PID != os.Getpid() {
			pids = append(pids, r.PID)
		}
	}
	line, err := result.NewEnvironment(env)
	if err != nil {
		return err
	}
	w.environment = line.ID
	if _, err := pe.Control.Broadcast([]byte(line.ID)); err != nil {
		return err
	}
	w.emit(supervise.Event{Kind: supervise.Ready, PIDs: append(pids, os.Getpid()), Environment: &line})
	return nil
}
