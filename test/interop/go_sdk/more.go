// What users of the Go SDK rely on besides: sessions, Nexus, signals with a start, updates with a start, progress of
// attempts, awaits with a limit, cleaning up after a cancellation, memos.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/api/enums/v1"
	nexuspb "go.temporal.io/api/nexus/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/temporalnexus"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const endpoint = "go-sdk-desk"

// Progress goes on where the last attempt was.
func Progress(ctx context.Context) (int, error) {
	var seen int
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &seen); err != nil {
			return 0, err
		}
	}
	activity.RecordHeartbeat(ctx, seen+10)
	if activity.GetInfo(ctx).Attempt < 3 {
		return 0, errors.New("not yet")
	}
	return seen, nil
}

func Resumed(ctx workflow.Context) (string, error) {
	var seen int
	err := workflow.ExecuteActivity(quick(ctx), Progress).Get(ctx, &seen)
	return fmt.Sprint(seen), err
}

// Both activities of a session run on the worker that has it.
func Session(ctx workflow.Context) (string, error) {
	session, err := workflow.CreateSession(quick(ctx), &workflow.SessionOptions{
		CreationTimeout: 10 * time.Second, ExecutionTimeout: 20 * time.Second})
	if err != nil {
		return "", err
	}
	defer workflow.CompleteSession(session)
	var one, two string
	if err := workflow.ExecuteActivity(session, Charge, 1.0).Get(session, &one); err != nil {
		return "", err
	}
	err = workflow.ExecuteActivity(session, Charge, 2.0).Get(session, &two)
	return one + " " + two, err
}

func Waits(ctx workflow.Context) (string, error) {
	ok, err := workflow.AwaitWithTimeout(ctx, time.Millisecond, func() bool { return false })
	return fmt.Sprint(ok), err
}

// Keeps cleans up after it was cancelled.
func Keeps(ctx workflow.Context) (string, error) {
	err := workflow.Sleep(ctx, time.Hour)
	if !temporal.IsCanceledError(err) {
		return "", errors.New("it was not cancelled")
	}
	var txn string
	clean, _ := workflow.NewDisconnectedContext(ctx)
	err = workflow.ExecuteActivity(quick(clean), Charge, 3.0).Get(clean, &txn)
	return "cleaned " + txn, err
}

func Marked(ctx workflow.Context) (string, error) {
	err := workflow.UpsertMemo(ctx, map[string]interface{}{"colour": "red"})
	if err != nil {
		return "", err
	}
	patched := workflow.GetVersion(ctx, "first", workflow.DefaultVersion, 1)
	again := workflow.GetVersion(ctx, "first", workflow.DefaultVersion, 1)
	return fmt.Sprintf("%d %d", patched, again), nil
}

var echoOperation = nexus.NewSyncOperation("echo", func(_ context.Context, in string, _ nexus.StartOperationOptions) (string, error) {
	if in == "" {
		return "", nexus.NewOperationFailedErrorf("nothing to say")
	}
	return "echo " + in, nil
})

var orderOperation = temporalnexus.NewWorkflowRunOperation("order", Order,
	func(_ context.Context, amount float64, options nexus.StartOperationOptions) (client.StartWorkflowOptions, error) {
		return client.StartWorkflowOptions{ID: "nexus-" + options.RequestID}, nil
	})

func Calls(ctx workflow.Context) (string, error) {
	var said, txn, none string
	c := workflow.NewNexusClient(endpoint, "desk")
	options := workflow.NexusOperationOptions{ScheduleToCloseTimeout: 20 * time.Second}
	if err := c.ExecuteOperation(ctx, echoOperation, "hello", options).Get(ctx, &said); err != nil {
		return "", err
	}
	if err := c.ExecuteOperation(ctx, orderOperation, 4.5, options).Get(ctx, &txn); err != nil {
		return "", err
	}
	err := c.ExecuteOperation(ctx, echoOperation, "", options).Get(ctx, &none)
	var failed *temporal.NexusOperationError
	return fmt.Sprintf("%s, %s, failed %v", said, txn, errors.As(err, &failed)), nil
}

func nexusEndpoint(c client.Client) error {
	_, err := c.OperatorService().CreateNexusEndpoint(context.Background(), &operatorservice.CreateNexusEndpointRequest{
		Spec: &nexuspb.EndpointSpec{Name: endpoint, Target: &nexuspb.EndpointTarget{Variant: &nexuspb.EndpointTarget_Worker_{
			Worker: &nexuspb.EndpointTarget_Worker{Namespace: "default", TaskQueue: queue}}}}})
	return err
}

func registerMore(w worker.Worker) error {
	for _, f := range []interface{}{Resumed, Session, Waits, Keeps, Marked, Calls} {
		w.RegisterWorkflow(f)
	}
	w.RegisterActivity(Progress)
	desk := nexus.NewService("desk")
	if err := desk.Register(echoOperation, orderOperation); err != nil {
		return err
	}
	w.RegisterNexusService(desk)
	return nil
}

func withStart(c client.Client) {
	ctx := context.Background()
	var old int
	operation := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: "with-start", TaskQueue: queue, WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING}, Approval)
	handle, err := c.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{StartWorkflowOperation: operation,
		UpdateOptions: client.UpdateWorkflowOptions{UpdateName: "raise", Args: []interface{}{9},
			WaitForStage: client.WorkflowUpdateStageCompleted}})
	if err == nil {
		err = handle.Get(ctx, &old)
	}
	show("update with start", old, err)
	run, err := c.SignalWithStartWorkflow(ctx, "with-start", "approve", "bob",
		client.StartWorkflowOptions{ID: "with-start", TaskQueue: queue}, Approval)
	var text string
	if err == nil {
		err = run.Get(ctx, &text)
	}
	show("signal with start", text, err)
}

func more(c client.Client) {
	execute(c, "resumed", Resumed)
	execute(c, "session", Session)
	execute(c, "waits", Waits)
	execute(c, "marked", Marked)
	execute(c, "calls", Calls)
	withStart(c)
	ctx := context.Background()
	run := start(c, "keeps", Keeps)
	err := c.CancelWorkflow(ctx, "keeps", "")
	var text string
	if err == nil {
		err = run.Get(ctx, &text)
	}
	show("keeps", text, err)
	seen, err := c.DescribeWorkflowExecution(ctx, "marked", "")
	show("memo", len(seen.GetWorkflowExecutionInfo().GetMemo().GetFields()), err)
}
