// A worker and a client of the official Go SDK in one program, against the server at ADDRESS: each line that it prints
// is the result of one thing that they do together.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const queue = "go-sdk"

type silent struct{}

func (silent) Debug(string, ...interface{}) {}
func (silent) Info(string, ...interface{})  {}
func (silent) Warn(string, ...interface{})  {}
func (silent) Error(string, ...interface{}) {}

var _ log.Logger = silent{}

// Charge fails on its first attempt.
func Charge(ctx context.Context, amount float64) (string, error) {
	if amount < 0 {
		return "", temporal.NewNonRetryableApplicationError("no such amount", "Amount", nil, amount)
	}
	if activity.GetInfo(ctx).Attempt == 1 {
		return "", errors.New("not yet")
	}
	return fmt.Sprintf("txn-%g", amount), nil
}

func quick(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Millisecond},
	})
}

func Order(ctx workflow.Context, amount float64) (string, error) {
	var txn string
	err := workflow.ExecuteActivity(quick(ctx), Charge, amount).Get(ctx, &txn)
	return txn, err
}

// Approval waits for its signal, and can be asked, changed and cancelled meanwhile.
func Approval(ctx workflow.Context) (string, error) {
	by, level := "", 0
	err := workflow.SetQueryHandler(ctx, "level", func() (int, error) { return level, nil })
	if err != nil {
		return "", err
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, "raise", func(ctx workflow.Context, to int) (int, error) {
		if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
			return 0, err
		}
		old := level
		level = to
		return old, nil
	}, workflow.UpdateHandlerOptions{Validator: func(to int) error {
		if to < 0 {
			return errors.New("below zero")
		}
		return nil
	}})
	if err != nil {
		return "", err
	}
	done := workflow.NewSelector(ctx)
	done.AddReceive(workflow.GetSignalChannel(ctx, "approve"), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &by) })
	done.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	done.Select(ctx)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return fmt.Sprintf("level %d approved by %s", level, by), nil
}

func Countdown(ctx workflow.Context, left int) (string, error) {
	if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
		return "", err
	}
	if left > 0 {
		return "", workflow.NewContinueAsNewError(ctx, Countdown, left-1)
	}
	return "lift-off", nil
}

func Parent(ctx workflow.Context, amount float64) (string, error) {
	var of string
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{})
	err := workflow.ExecuteChildWorkflow(ctx, Order, amount).Get(ctx, &of)
	return "child: " + of, err
}

func Local(ctx workflow.Context) (string, error) {
	version := workflow.GetVersion(ctx, "change", workflow.DefaultVersion, 3)
	var side int
	err := workflow.SideEffect(ctx, func(workflow.Context) interface{} { return 41 }).Get(&side)
	if err != nil {
		return "", err
	}
	var text string
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Second})
	err = workflow.ExecuteLocalActivity(ctx, func(context.Context) (string, error) { return "local", nil }).Get(ctx, &text)
	return fmt.Sprintf("%s %d %d", text, version, side+1), err
}

func show(what string, result interface{}, err error) {
	var application *temporal.ApplicationError
	switch {
	case err == nil:
		fmt.Printf("%s: %v\n", what, result)
	case errors.As(err, &application):
		fmt.Printf("%s: %s: %s\n", what, application.Type(), application.Message())
	case temporal.IsCanceledError(err):
		fmt.Printf("%s: cancelled\n", what)
	default:
		fmt.Printf("%s: failed: %v\n", what, err)
	}
}

func start(c client.Client, id string, f interface{}, args ...interface{}) client.WorkflowRun {
	run, err := c.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, f, args...)
	if err != nil {
		fmt.Printf("%s does not start: %v\n", id, err)
		os.Exit(1)
	}
	return run
}

func execute(c client.Client, id string, f interface{}, args ...interface{}) {
	var text string
	err := start(c, id, f, args...).Get(context.Background(), &text)
	show(id, text, err)
}

func update(c client.Client, id string, to int) {
	var old int
	ctx := context.Background()
	handle, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: "raise",
		Args: []interface{}{to}, WaitForStage: client.WorkflowUpdateStageCompleted})
	if err == nil {
		err = handle.Get(ctx, &old)
	}
	show(fmt.Sprintf("update %d", to), old, err)
}

func approval(c client.Client) {
	var level int
	var text string
	ctx := context.Background()
	run := start(c, "approval", Approval)
	update(c, "approval", 7)
	update(c, "approval", -1)
	value, err := c.QueryWorkflow(ctx, "approval", "", "level")
	if err == nil {
		err = value.Get(&level)
	}
	show("query", level, err)
	err = c.SignalWorkflow(ctx, "approval", "", "approve", "ann")
	if err == nil {
		err = run.Get(ctx, &text)
	}
	show("approval", text, err)
	run = start(c, "cancelled", Approval)
	err = c.CancelWorkflow(ctx, "cancelled", "")
	if err == nil {
		err = run.Get(ctx, &text)
	}
	show("cancelled", text, err)
}

func main() {
	c, err := client.Dial(client.Options{HostPort: os.Args[1], Logger: silent{}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer c.Close()
	if err := nexusEndpoint(c); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	w := worker.New(c, queue, worker.Options{EnableSessionWorker: true})
	for _, f := range []interface{}{Order, Approval, Countdown, Parent, Local} {
		w.RegisterWorkflow(f)
	}
	w.RegisterActivity(Charge)
	if err := registerMore(w); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if err := w.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	execute(c, "order", Order, 99.5)
	execute(c, "refused", Order, -1.0)
	approval(c)
	execute(c, "countdown", Countdown, 3)
	execute(c, "parent", Parent, 1.5)
	execute(c, "local", Local)
	more(c)
	w.Stop()
}
