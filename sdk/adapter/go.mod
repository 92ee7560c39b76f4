module github.com/smarthausgroup/caio/sdk/adapter

go 1.26.0
