module github.com/barnex/cuda5

go 1.26
